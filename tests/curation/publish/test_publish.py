"""A mix on the Hub: whole, private, without what its licenses forbid, and without anything of this machine."""

from __future__ import annotations

import getpass
import io
import json
import socket
from pathlib import Path

import huggingface_hub
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.mixing.files import SPLITS, MixFiles
from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from curation.publish.card import DOCUMENT_COLUMNS, SAMPLE_COLUMNS
from curation.publish.private import check_texts, publishable
from curation.publish.run import publish_mix
from curation.publish.upload import Repository
from open_ml_embed.core.errors import PublishError, SettingsError, TransientError, UnknownNameError
from sources.manifest import Manifest
from tests.curation.export import mixes
from tests.support import project
from tests.support.hub.server import Failure
from tests.support.hub.uploads import faults_of, publishing
from tests.support.workshop import MANIFEST

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=")  # huggingface-hub's own call of its client
TO = "someone/our-mix"
SUBSETS = {"subsets": {"all": {"query_lang": "eng-Latn"}}}
SPARED = ("fever", "nc_source")
"""Sources whose licenses do not allow to publish."""


def manifest_of(source: str) -> Manifest:
    free = source not in SPARED
    license = {"id": "MIT" if free else "LicenseRef-own", "commercial": free, "redistribution": free}
    return Manifest.model_validate(MANIFEST | SUBSETS | {"name": source, "license": license})


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with publishing(tmp_path / "hub", monkeypatch, lfs_from=1500) as running:
        yield running


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    return mixes.make(tmp_path_factory.mktemp("made") / "ours", rows=120)


def publish(mix, hub, **options):
    to = Repository(TO, "dataset", endpoint=hub.endpoint, public=options.pop("public", False))
    return publish_mix(mix.root, to, manifest_of=options.pop("manifest_of", manifest_of), **options)


def free(source: str) -> Manifest:
    return Manifest.model_validate(MANIFEST | SUBSETS | {"name": source})


def test_all_files_arrive_in_one_commit_of_a_private_repository(mix, hub, tmp_path):
    done = publish(mix, hub, manifest_of=free)
    assert (hub.private, hub.kinds) == ({TO: True}, {TO: "dataset"})
    assert len(hub.commits[TO]) == 1
    arrived = Path(
        huggingface_hub.snapshot_download(
            TO, repo_type="dataset", endpoint=hub.endpoint, local_dir=tmp_path / "got", token=hub.token
        )
    )
    names = {path.relative_to(arrived).as_posix() for path in arrived.rglob("*") if path.is_file()}
    assert {name for name in names if not name.startswith(".cache")} == set(done.published.files)
    for kind in (*SPLITS, "documents"):
        for path in MixFiles(mix.root).files(kind):
            assert (arrived / path.relative_to(mix.root)).read_bytes() == path.read_bytes()
    card = (arrived / "README.md").read_text("utf-8")
    assert faults_of(card) == ""
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license_link"] == "LICENSES.md"
    assert (arrived / "LICENSES.md").read_text("utf-8").count("| CC0-1.0 |") == 5
    languages = dict(line.split("\t") for line in (arrived / "statistics/languages.tsv").read_text().splitlines()[1:])
    told = [{s["language"], s["positive_language"]} for s in (*mix.train, *mix.validation)]
    assert {name: int(count) for name, count in languages.items()} == {
        name: sum(name in both for both in told) for name in mixes.LANGUAGES
    }


def test_a_card_that_the_hub_does_not_accept_is_said_before_anything_is_sent(mix, hub, monkeypatch):
    monkeypatch.setattr("curation.publish.run.published_card", lambda facts, repository: "---\nlicence: MIT\n---\n")
    with pytest.raises(PublishError, match=r"does not accept the card: unknown: \['licence'\]"):
        publish(mix, hub, manifest_of=free)
    assert hub.private == {}


def test_the_card_has_every_column():
    assert list(SAMPLE_COLUMNS) == SAMPLE_SCHEMA.names
    assert list(DOCUMENT_COLUMNS) == DOCUMENT_SCHEMA.names


def test_a_license_that_forbids_it_is_refused_by_name(mix, hub):
    with pytest.raises(PublishError, match=r"fever \(LicenseRef-own\), nc_source") as caught:
        publish(mix, hub)
    assert caught.value.remedy.endswith("--without fever --without nc_source")
    assert hub.received == []
    with pytest.raises(UnknownNameError, match="fewer"):
        publish(mix, hub, without=["fewer"])
    with pytest.raises(SettingsError, match="no sample is left"):
        publish(mix, hub, without=[*mixes.FAMILY, "nc_source"])


def test_what_is_left_out_leaves_no_trace_and_changes_nothing_else(mix, hub):
    done = publish(mix, hub, without=SPARED)
    got = MixFiles(hub.root / TO / "main")
    texts = [row["text"] for batch in got.read("documents", ["text"]) for row in batch.to_pylist()]
    document_source = {text: row["source"] for row, text in zip(_documents(mix), mix.texts, strict=True)}
    dropped = 0
    named = set()
    for split, samples in (("train", mix.train), ("validation", mix.validation)):
        expected = []
        for sample in samples:
            origins = {sample["source"], *(name.partition("/")[0] for name in sample["provenance"])}
            if origins & set(SPARED) or document_source[sample["positive"]] in SPARED:
                dropped += 1
                continue
            lists = [
                [text for text in of if document_source[text] not in SPARED]
                for of in (mix.positives(sample), mix.negatives(sample))
            ]
            named |= {text for one in lists for text in one}
            expected.append((sample["row_id"], sample["query"], *lists))
        found = [
            (
                row["row_id"],
                row["query"],
                [texts[number] for number in (row["positive_id"], *row["other_positive_ids"])],
                [texts[number] for number in row["negative_ids"]],
            )
            for batch in got.read(split, SAMPLE_SCHEMA.names)
            for row in batch.to_pylist()
        ]
        assert found == expected
    assert done.without.samples == dropped > 0
    assert set(texts) == named
    assert len(texts) == len(mix.texts) - done.without.documents
    for path in (hub.root / TO).rglob("*"):
        if path.suffix in (".tsv", ".md") and path.name != "README.md":
            assert not any(name in path.read_text("utf-8") for name in SPARED)
    assert "without the sources fever, nc_source" in (hub.root / TO / "main/README.md").read_text("utf-8")


def _documents(mix):
    return [row for batch in MixFiles(mix.root).read("documents", DOCUMENT_SCHEMA.names) for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "failures",
    [
        [Failure("/repos/create", cut_after=0, times=2)],
        [Failure("/preupload/", status=429, times=2, headers={"Retry-After": "0"})],
        [Failure("/content/", status=503, times=2), Failure("/commit/", status=500, times=2)],
        [Failure("/objects/batch", status=502, times=3), Failure("/repos/create", status=504)],
        [Failure("/validate-yaml", status=500, times=2)],
    ],
    ids=lambda failures: failures[0].path,
)
def test_a_server_that_fails_for_a_while_is_survived(mix, hub, failures):
    hub.failures += failures
    publish(mix, hub, manifest_of=free)
    assert len(hub.commits[TO]) == 1
    assert all(failure.times == 0 for failure in failures)


def test_a_run_that_was_stopped_goes_on_and_sends_no_content_twice(mix, hub):
    hub.failures.append(Failure("/commit/", status=500, times=99))
    with pytest.raises(TransientError, match="HTTP 500") as caught:
        publish(mix, hub, manifest_of=free)
    assert "signed=" not in f"{caught.value} {caught.value.remedy}"
    assert hub.commits == {}
    first = dict(hub.puts)
    assert first
    hub.failures.clear()
    publish(mix, hub, manifest_of=free)
    assert hub.puts == first
    assert set(first.values()) == {1}


def test_what_an_earlier_publication_left_is_removed_and_other_files_stay(mix, hub):
    publish(mix, hub, manifest_of=free)
    hub.add(TO, "samples/train-00099.parquet", b"old")
    hub.add(TO, "picture.png", b"by hand")
    done = publish(mix, hub, manifest_of=free)
    assert done.published.removed == ["samples/train-00099.parquet"]
    assert (hub.root / TO / "main/picture.png").is_file()


def test_an_open_repository_and_a_missing_token_are_refused(mix, hub, monkeypatch):
    publish(mix, hub, manifest_of=free, public=True)
    assert hub.private == {TO: False}
    with pytest.raises(PublishError, match="everybody can read"):
        publish(mix, hub, manifest_of=free)
    with pytest.raises(PublishError, match="no name of a repository"):
        publish_mix(mix.root, Repository("no name/at all", "dataset", endpoint=hub.endpoint), manifest_of=free)
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_reader")
    with pytest.raises(PublishError, match="HTTP 401") as caught:
        publish(mix, hub, manifest_of=free, public=True)
    assert "HF_TOKEN" in caught.value.remedy
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(mix.root / "no-token"))
    with pytest.raises(PublishError, match="there is no token"):
        publish(mix, hub, manifest_of=free, public=True)


def test_the_token_is_sent_where_implicit_tokens_are_switched_off(mix, hub, monkeypatch):
    """The variable keeps tokens out of reads of public files; publishing needs one."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    publish(mix, hub, manifest_of=free)
    assert hub.private == {TO: True}


def test_paths_of_settings_become_names_and_a_text_with_a_path_or_token_is_refused(tmp_path, monkeypatch):
    (tmp_path / "raw/leaked").mkdir(parents=True)
    settings = {
        "work": "/scratch/me", "train": {"device": "cuda"}, "dedup": {"threshold": 0.8},
        "sources": {"local_root": "/home/me/data", "include": ["a"], "endpoint": "https://hub.corp"},
        "decontaminate": {"sets": ["raw/leaked", "mteb/SciFact", str(tmp_path / "own")]},
    }  # fmt: skip
    assert publishable(settings, tmp_path) == {
        "dedup": {"threshold": 0.8},
        "sources": {"include": ["a"]},
        "decontaminate": {"sets": ["leaked", "mteb/SciFact", "own"]},
    }
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh")
    for text in (f"see {tmp_path}/x", "hf_abcdefgh"):
        with pytest.raises(PublishError, match="must not leave") as caught:
            check_texts({"README.md": text}, tmp_path, "dataset us/mix")
        assert "hf_abcdefgh" not in str(caught.value)
    check_texts({"README.md": "nothing of the kind"}, tmp_path, "dataset us/mix")


@pytest.mark.slow
def test_the_command_publishes_a_built_mix_and_nothing_of_this_machine_leaves(tmp_path, hub, monkeypatch):
    root = project.make(tmp_path / "secret-project", rows=60)
    for verb in project.STEPS:
        project.run(root, *verb)
    monkeypatch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
    command = ["publish", "retrieval", "--to", TO, "--params", str(root / "params.yaml"), "--endpoint", hub.endpoint]
    planned = json.loads(CliRunner().invoke(app, [*command, "--dry-run", "--json"], catch_exceptions=False).stdout)
    assert hub.received == []
    done = json.loads(CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False).stdout)
    assert planned["files"] == done["files"]
    assert done["commit"] == hub.commit(TO, "main")
    card = (hub.root / TO / "main/README.md").read_text("utf-8")
    assert "threshold" not in card  # a default
    assert "validation: 0.1" in card
    assert "| leaked |" in card
    words = [str(tmp_path), "secret-project", hub.token, socket.gethostname(), f"/{getpass.getuser()}/"]
    for body in (*hub.received, *hub.contents.values()):
        texts = [body.decode("utf-8", "replace")]
        if body[:4] == b"PAR1":
            file = pq.ParquetFile(io.BytesIO(body))
            texts += [str(file.read().to_pylist()), str(file.metadata.metadata), str(file.metadata)]
        assert [word for word in words for text in texts if word in text] == []
    for value in (line["value"] for lines in hub.commits[TO] for line in lines if line["key"] == "file"):
        assert value["encoding"] == "base64"
