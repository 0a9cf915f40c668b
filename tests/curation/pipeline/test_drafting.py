"""`curate sources new` and `curate sources check`: manifests drafted from datasets as they are served, and tried."""

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.probe.drafting import check_source, draft_source, place_of, write_draft
from curation.probe.run import ProbeFailedError
from open_ml_embed.core.errors import CorpusError, FetchError, SchemaError, SettingsError, UnknownNameError
from sources import registry
from sources.draft.card import read_card
from sources.fetch import FetchOptions, hub
from sources.manifest import Manifest
from tests.sources.raw import FIXTURES
from tests.support.hub.server import serving

SOURCES = {
    "banking77": "label", "snli": "nli", "stsbenchmark": "sts", "paq": "pair", "emotion": "label", "imdb": "label",
    "gooaq": "pair", "mnli": "nli", "qqp": "paraphrase", "xsum": "pair",
}  # fmt: skip
"""Ten sources of the project, and the shape that their own manifests have."""
CARD = """---
license: cc-by-sa-4.0
language: de
pretty_name: Laws of the harbour
---
```bibtex
@inproceedings{lie2024,
    title = {Harbour Laws},
    author = {Lie, Anders and Moe, Berit},
    year = {2024},
}
```
"""
PAIRS = [
    (f"Wer darf im Hafen Nummer {n} anlegen?", f"Im Hafen {n} dürfen alle Schiffe anlegen, die das Gesetz nennt.")
    for n in range(40)
]
LINES = "".join(json.dumps({"question": q, "answer": a, "nr": n}) + "\n" for n, (q, a) in enumerate(PAIRS))


@pytest.fixture
def project(tmp_path):
    """A folder of a project, without settings and manifests."""
    home = tmp_path / "project"
    home.mkdir()
    return home


@pytest.fixture
def settings(project, monkeypatch):
    """Write the settings file for a Hub of this machine."""
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})

    def write(**sources) -> Path:
        path = project / "params.yaml"
        path.write_text(yaml.safe_dump({"profile": "mine", "mine": {"sources": sources}}))
        return path

    return write


def served(name: str, folder: Path) -> str:
    """Put a source's fixture on the main branch of a Hub below `folder/hub`, and return its repository."""
    FIXTURES[name].build(folder)
    repo = registry.load(name).origin.repo
    branch = folder / "hub" / repo / "main"
    branch.parent.mkdir(parents=True, exist_ok=True)
    branch.symlink_to(folder / repo)
    return repo


def run(*words: str):
    return CliRunner().invoke(app, ["sources", *words])


@pytest.mark.parametrize("name", SOURCES)
def test_a_draft_of_a_source_as_it_is_served_passes_the_check(name, tmp_path, settings):
    repo = served(name, tmp_path)
    with serving(tmp_path / "hub", page=500) as server:
        place = place_of(settings(endpoint=server.endpoint))
        draft, path = write_draft(place, repo, f"my_{name}")
        found = check_source(place, f"my_{name}")
    assert path.read_text("utf-8") == draft.yaml
    assert (
        Manifest.model_validate(yaml.safe_load(draft.yaml)) == draft.manifest == registry.load(f"my_{name}", place.root)
    )
    (source,) = found.sources
    assert source["verdict"] in ("ok", "warning")
    assert sum(subset["rows"] for subset in source["subsets"].values()) > 0
    own = registry.load(name)
    assert draft.manifest.shape.kind == own.shape.kind == SOURCES[name]
    assert draft.manifest.languages() == own.languages()
    assert (draft.manifest.family, next(iter(draft.manifest.tables.values())).format) == (
        "classification" if name == "imdb" else own.family,
        next(iter(own.tables.values())).format,
    )
    for line in ("task:", "  kind:", "samples:", "instruction:"):
        assert any(one.startswith(line) and "# guessed: " in one for one in draft.yaml.splitlines()), line


def test_a_card_says_license_language_citation_and_title(tmp_path, settings):
    with serving(tmp_path / "hub") as server:
        server.add("port/Harbour-Laws", "README.md", CARD.encode())
        server.add("port/Harbour-Laws", "data/train.jsonl", LINES.encode())
        server.add("port/Harbour-Laws", "data/test.jsonl", b'{"question": "held out"}\n')
        params = settings(endpoint=server.endpoint)
        done = run("new", "port/Harbour-Laws", "--params", str(params))
        assert done.exit_code == 0, done.output
        assert "curate sources check harbour_laws" in done.output
        checked = run("check", "harbour_laws", "--params", str(params))
        assert checked.exit_code == 0, checked.output
    assert PAIRS[0][0] in checked.output
    assert PAIRS[0][1] in checked.output
    manifest = registry.load("harbour_laws", params.parent)
    assert manifest.title == "Laws of the harbour"
    assert manifest.license.model_dump() == {
        "id": "CC-BY-SA-4.0", "commercial": True, "redistribution": True, "note": "",
    }  # fmt: skip
    assert manifest.citation == "Lie et al. 2024, Harbour Laws"
    assert manifest.languages() == ["deu-Latn"]
    assert manifest.tables["records"].files == ["data/train.jsonl"]
    assert manifest.tables["records"].fields == {"question": "string", "answer": "string"}
    assert manifest.shape.model_dump() == {"kind": "pair", "args": {"query": "question", "positive": "answer"}}
    assert manifest.samples == 40


def test_a_footer_states_the_samples_and_folders_the_languages(tmp_path, settings):
    with serving(tmp_path / "hub") as server:
        for folder in ("de", "fr"):
            for shard in range(2):
                path = server.add("port/faq", f"{folder}/train-0000{shard}-of-00002.parquet", b"")
                pq.write_table(
                    pa.Table.from_pylist([{"query": q, "positive": a, "negative_1": "Nein."} for q, a in PAIRS]), path
                )
        params = settings(endpoint=server.endpoint)
        draft, _ = write_draft(place_of(params), "port/faq")
        check_source(place_of(params), "faq")
    manifest = draft.manifest
    assert manifest.samples == 160
    assert {name: s.query_lang for name, s in manifest.subsets.items()} == {"de": "deu-Latn", "fr": "fra-Latn"}
    assert manifest.tables["records"].files == ["{subset}/train-*.parquet"]
    assert manifest.shape.args == {"query": "query", "positive": "positive", "negatives": ["negative_1"]}


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "json", "csv", "tsv"])
def test_a_file_of_this_machine_is_drafted_and_checked_without_a_profile(ending, project, monkeypatch):
    monkeypatch.chdir(project)
    plain = "\n".join(("question\tanswer", *("\t".join(pair) for pair in PAIRS)))
    records = [dict(zip(("question", "answer"), pair, strict=True)) for pair in PAIRS]
    text = {
        "csv": "question,answer\n" + "".join(f'"{q}","{a}"\n' for q, a in PAIRS), "tsv": f"{plain}\n",
        "json": json.dumps({"data": records}),
    }.get(ending, LINES)  # fmt: skip
    (project / "raw").mkdir()
    data = text.encode()
    (project / f"raw/laws.{ending}").write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    done = run("new", f"raw/laws.{ending}")
    assert done.exit_code == 0, f"{done.output}{done.exception!r}"
    assert "local_root: ." in done.output
    manifest = registry.load("laws", project)
    assert manifest.origin.model_dump()["folder"] == "raw"
    assert manifest.samples == 40
    checked = run("check", "laws")
    assert checked.exit_code == 0, f"{checked.output}{checked.exception!r}"
    assert "40 rows" in checked.output
    assert PAIRS[0][1] in checked.output


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("laws.pdf", b"%PDF-1.7 ...", "a PDF document"),
        ("laws.jsonl", b"<!DOCTYPE html><html></html>", "an HTML page"),
        ("laws.parquet", b"PAR0" * 20, "Parquet"),
        ("laws.jsonl", b"", "0 bytes"),
        ("laws.jsonl", b"1\n2\n", "JSON object"),
        ("laws.csv", b"question;answer\na;b\n", "semicolons"),
        ("laws.csv", "frage,antwort\nwofür,dafür\n".encode("latin-1") * 9, "windows-1252"),
        ("laws.jsonl", b'{"n": 1, "m": 2}\n' * 9, "n: int64, m: int64"),
    ],
)
def test_a_file_that_cannot_be_drafted_from_is_refused_by_name(name, data, what, project):
    (project / name).write_bytes(data)
    with pytest.raises((FetchError, SchemaError)) as caught:
        write_draft(place_of(project / "params.yaml"), str(project / name))
    assert name in str(caught.value)
    assert what in str(caught.value)
    assert caught.value.remedy
    assert not (project / "manifests").exists()


def test_a_manifest_is_never_overwritten(project):
    (project / "laws.jsonl").write_text(LINES)
    place = place_of(project / "params.yaml")
    _, path = write_draft(place, str(project / "laws.jsonl"))
    path.write_text(path.read_text() + "notes: mine\n")
    with pytest.raises(SettingsError, match="there is a source laws already"):
        write_draft(place, str(project / "laws.jsonl"))
    assert path.read_text().endswith("notes: mine\n")
    with pytest.raises(SettingsError, match="there is a source squad already"):
        write_draft(place, str(project / "laws.jsonl"), "squad")
    with pytest.raises(SettingsError, match="cannot be the name"):
        write_draft(place, str(project / "laws.jsonl"), "Laws!")
    assert write_draft(place, str(project / "laws.jsonl"), "laws_2")[1].is_file()


def test_names_that_there_are_not_get_the_nearest(project):
    (project / "laws.jsonl").write_text(LINES)
    place = place_of(project / "params.yaml")
    with pytest.raises(UnknownNameError) as caught:
        draft_source(str(project / "lows.jsonl"), place.options)
    assert "did you mean" in caught.value.remedy
    assert "laws.jsonl" in caught.value.remedy
    with pytest.raises(UnknownNameError) as caught:
        check_source(place, "squat")
    assert "squad" in caught.value.remedy


def test_a_repository_that_is_not_there_is_refused(tmp_path, settings):
    with serving(tmp_path / "hub") as server, pytest.raises(CorpusError) as caught:
        draft_source("port/nothing", FetchOptions("", endpoint=server.endpoint))
    assert "port/nothing" in str(caught.value)


def test_a_check_that_fails_says_why_and_ends_with_1(project):
    (project / "laws.jsonl").write_text(LINES)
    place = place_of(project / "params.yaml")
    _, path = write_draft(place, str(project / "laws.jsonl"))
    path.write_text(re.sub(r"\banswer\b", "anser", path.read_text()))
    with pytest.raises(ProbeFailedError, match="anser"):
        check_source(place, "laws")
    done = run("check", "laws", "--params", str(project / "params.yaml"))
    assert done.exit_code == 1
    assert "failed" in done.output


def test_the_public_function_writes_nothing(project, monkeypatch):
    import open_ml_embed as ome

    monkeypatch.chdir(project)
    (project / "laws.jsonl").write_text(LINES)
    draft = ome.sources.draft("laws.jsonl")
    assert draft.manifest.name == draft.name == "laws"
    assert yaml.safe_load(draft.yaml)["shape"]["kind"] == "pair"
    assert sorted(path.name for path in project.rglob("*")) == ["laws.jsonl"]


def test_a_card_that_says_nothing_allows_nothing():
    license, why = read_card("# no front matter").license()
    assert license == {"id": "LicenseRef-unspecified", "commercial": False, "redistribution": False}
    assert "no license" in why
    assert read_card("---\n: [\n---\n").front == {}
    assert read_card("---\nlanguage: no\n---\n").languages == ["no"]
    assert read_card("---\nlicense: cc-by-nc-4.0\n---\n").license()[0]["commercial"] is False
