"""Fetching with the real client from a Hub on this machine."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sources.errors import FetchError, TransientError, UnknownNameError
from sources.fetch import FetchOptions, fetch, hub
from sources.manifest import Manifest
from tests.hub.server import Failure, git_oid, serving

LARGE = os.urandom(1 << 20)
PLAIN = b'{"a": "x"}\n'


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    with serving(tmp_path / "hub") as running:
        for number in range(12):
            running.add("org/set", f"data/train-{number:02d}.jsonl", PLAIN * (number + 1))
        running.add("org/set", "data/large.bin", LARGE)
        running.add("org/set", "README.md", b"# set")
        yield running


def manifest(files=("data/train-*.jsonl",), **origin) -> Manifest:
    return Manifest.model_validate(
        {
            "name": "example", "title": "Example", "collection": "ml-embed", "task": "paraphrase",
            "family": "retrieval", "origin": {"kind": "hub", "repo": "org/set"} | origin,
            "tables": {"records": {"files": list(files), "format": "jsonl", "fields": {"a": "string"}}},
            "shape": {"kind": "pair"}, "subsets": {"en": {"query_lang": "eng-Latn"}, "de": {"query_lang": "deu-Latn"}},
            "licence": {"id": "MIT", "commercial": True, "redistribution": True}, "citation": "nobody 2020",
            "samples": 0, "instruction": "Find what belongs to it.",
        }
    )  # fmt: skip


def options(server, tmp_path, **more) -> FetchOptions:
    return FetchOptions(raw_root=str(tmp_path / "raw"), endpoint=server.endpoint, **more)


def fetched_files(tmp_path) -> list[Path]:
    """What lies in the places of finished files."""
    root = tmp_path / "raw/hub"
    return [p for p in root.rglob("*") if p.is_file() and not any(x.startswith(".") for x in p.relative_to(root).parts)
            and p.suffix != ".json"]  # fmt: skip


def test_files_come_whole_with_the_origins_identities(server, tmp_path):
    files = fetch(manifest(["data/*"]), "en", options(server, tmp_path))
    assert [file.name for file in files] == ["data/large.bin", *(f"data/train-{i:02d}.jsonl" for i in range(12))]
    for file in files:
        data = Path(file.path).read_bytes()
        assert file.size == len(data)
        assert file.table == "records"
    assert files[0].identity == f"sha256:{hashlib.sha256(LARGE).hexdigest()}"
    assert files[1].identity == f"git:{git_oid(PLAIN)}"
    assert Path(files[0].path).read_bytes() == LARGE


def test_listed_once_for_all_subsets_and_never_fetched_twice(server, tmp_path):
    for subset in ("en", "de", "en"):
        fetch(manifest(), subset, options(server, tmp_path))
    assert server.requests("/api/.*/revision/") == 1
    assert server.requests("/api/.*/tree/") == 3, "one request a page of seven"
    assert server.requests("/resolve/", "GET") == 12


def test_downloads_name_the_commit_and_not_the_branch(server, tmp_path):
    fetch(manifest(), "en", options(server, tmp_path))
    commit = server.commit("org/set", "main")
    assert server.requests("/resolve/") == server.requests(f"/resolve/{commit}/")


def test_new_commit_fetches_only_what_changed(server, tmp_path):
    before = fetch(manifest(), "en", options(server, tmp_path))
    server.add("org/set", "data/train-03.jsonl", b'{"a": "new"}\n')
    hub._listings.clear()
    after = fetch(manifest(), "en", options(server, tmp_path))
    assert server.requests("/resolve/", "GET") == 13
    changed = [b.name for a, b in zip(before, after, strict=True) if a != b]
    assert changed == ["data/train-03.jsonl"]
    assert Path(before[3].path).read_bytes() == PLAIN * 4, "what an earlier build used stays"


def test_files_per_table(server, tmp_path):
    files = fetch(manifest(), "en", options(server, tmp_path, files_per_table=2))
    assert [file.name for file in files] == ["data/train-00.jsonl", "data/train-01.jsonl"]


def test_offline_uses_what_is_here_and_nothing_else(server, tmp_path):
    online = fetch(manifest(), "en", options(server, tmp_path))
    asked = sum(server.asked.values())
    hub._listings.clear()
    assert fetch(manifest(), "en", options(server, tmp_path, offline=True)) == online
    with pytest.raises(FetchError, match="not fetched yet, and this run is offline"):
        fetch(manifest(["data/large.bin"]), "en", options(server, tmp_path, offline=True))
    with pytest.raises(FetchError, match="never fetched"):
        fetch(manifest(repo="org/other"), "en", options(server, tmp_path, offline=True))
    assert sum(server.asked.values()) == asked


def test_glob_without_match_lists_the_nearest(server, tmp_path):
    with pytest.raises(FetchError) as caught:
        fetch(manifest(["data/trian-00.jsonl"]), "en", options(server, tmp_path))
    assert "no file matches data/trian-00.jsonl" in str(caught.value)
    assert "data/train-00.jsonl" in caught.value.remedy
    assert "org/set at main" in caught.value.where


def test_missing_repository(server, tmp_path):
    with pytest.raises(FetchError, match="no such repository, or a private one") as caught:
        fetch(manifest(repo="org/gone"), "en", options(server, tmp_path))
    assert "local_root" in caught.value.remedy
    assert "HF_TOKEN" in caught.value.remedy


def test_missing_revision(server, tmp_path):
    with pytest.raises(FetchError, match="no such revision"):
        fetch(manifest(ref="v2"), "en", options(server, tmp_path))


def test_gated_repository_says_so_and_shows_no_token(server, tmp_path):
    server.gated.add("org/set")
    with pytest.raises(FetchError, match="gated") as caught:
        fetch(manifest(), "en", options(server, tmp_path))
    assert "accept its terms at https://huggingface.co/datasets/org/set" in caught.value.remedy
    assert fetched_files(tmp_path) == []


def test_token_opens_gated_repositories_and_stays_out_of_messages(server, tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    monkeypatch.setenv("HF_TOKEN", "hf_verysecret")
    server.gated.add("org/set")
    caplog.set_level("DEBUG")
    assert len(fetch(manifest(), "en", options(server, tmp_path))) == 12
    assert any(r.headers.get("authorization") == "Bearer hf_verysecret" for r in server.seen)
    server.failures.append(Failure("/resolve/", status=403, times=99))
    with pytest.raises(FetchError, match=r"access refused \(HTTP 403\)") as caught:
        fetch(manifest(["README.md"]), "en", options(server, tmp_path))
    written = "".join(capfd.readouterr()) + caplog.text + str(caught.value)
    assert "verysecret" not in written


def test_mirror_steps_in_for_a_gated_or_missing_repository(server, tmp_path):
    for number in range(3):
        server.add("org/copy", f"data/train-{number:02d}.jsonl", PLAIN)
    server.gated.add("org/set")
    for repo in ("org/set", "org/gone"):
        files = fetch(manifest(repo=repo, mirrors=["org/none", "org/copy"]), "en", options(server, tmp_path))
        assert len(files) == 3
        assert all("/org/copy/" in file.path for file in files)


def test_when_the_mirror_fails_too_both_are_named(server, tmp_path):
    with pytest.raises(FetchError, match=r"no such repository.*mirror org/none: no such repository"):
        fetch(manifest(repo="org/gone", mirrors=["org/none"]), "en", options(server, tmp_path))


def test_local_folder_wins_and_needs_no_network(server, tmp_path):
    home = tmp_path / "local/org/set/data"
    home.mkdir(parents=True)
    (home / "train-00.jsonl").write_bytes(b"mine")
    (home / ".train-01.jsonl.swp").write_bytes(b"no")
    files = fetch(manifest(), "en", options(server, tmp_path, local_root=str(tmp_path / "local")))
    assert [(file.name, Path(file.path).read_bytes()) for file in files] == [("data/train-00.jsonl", b"mine")]
    assert not server.asked
    (home / "train-00.jsonl").write_bytes(b"edit")
    again = fetch(manifest(), "en", options(server, tmp_path, local_root=str(tmp_path / "local")))
    assert again[0].identity != files[0].identity


def test_table_in_another_repository(server, tmp_path):
    server.add("org/corpus", "docs/0.jsonl", PLAIN, ref="v1")
    both = manifest().model_dump()
    both["tables"]["corpus"] = both["tables"]["records"] | {"repo": "org/corpus@v1", "files": ["docs/*"]}
    files = fetch(Manifest.model_validate(both), "en", options(server, tmp_path, files_per_table=1))
    assert [(file.table, file.name) for file in files] == [
        ("records", "data/train-00.jsonl"),
        ("corpus", "docs/0.jsonl"),
    ]


def test_conversion_branch(server, tmp_path):
    ref = "refs/convert/parquet"
    server.add("org/set", "default/train/0000.parquet", PLAIN, ref=ref)
    assert len(fetch(manifest(["default/train/*.parquet"], ref=ref), "en", options(server, tmp_path))) == 1


def test_partial_conversion_is_refused(server, tmp_path):
    ref = "refs/convert/parquet"
    server.add("org/set", "default/partial-train/0000.parquet", PLAIN, ref=ref)
    for glob in ("default/train/*.parquet", "default/*/*.parquet"):
        with pytest.raises(FetchError, match="only a part of the dataset is there: default/partial-train"):
            fetch(manifest([glob], ref=ref), "en", options(server, tmp_path))


def test_unknown_subset(server, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown subset 'ed'"):
        fetch(manifest(), "ed", options(server, tmp_path))


@pytest.mark.parametrize("status", [429, 503])
def test_passing_failures_of_the_server_pass(server, tmp_path, status):
    server.failures += [Failure("/revision/", status), Failure("/resolve/.*train-05", status, method="HEAD")]
    assert len(fetch(manifest(), "en", options(server, tmp_path))) == 12


def test_lasting_rate_limit_is_transient(server, tmp_path):
    server.failures.append(Failure("/revision/", 429, times=99))
    with pytest.raises(TransientError, match="429") as caught:
        fetch(manifest(), "en", options(server, tmp_path))
    assert "wait five minutes" in caught.value.remedy


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"RateLimit": '"api";r=0;t=41', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}, 41),
        ({"Retry-After": "7"}, 7),
        ({}, 0.01),
    ],
)
def test_rate_limit_is_waited_out_as_the_server_asks(server, tmp_path, monkeypatch, headers, pause):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    server.failures.append(Failure("/revision/", 429, headers=headers))
    assert len(fetch(manifest(), "en", options(server, tmp_path))) == 12
    assert [round(seconds, 2) for seconds in slept] == [pause]


def test_rate_limit_far_away_is_left_for_another_run(server, tmp_path):
    server.failures.append(Failure("/revision/", 429, times=99, headers={"RateLimit": '"api";r=0;t=3000'}))
    with pytest.raises(TransientError, match="429") as caught:
        fetch(manifest(), "en", options(server, tmp_path))
    assert "3000 s" in caught.value.remedy
    assert server.requests("/revision/") == 1


def test_expired_token_is_named_and_not_taken_for_a_missing_repository(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    server.expired.add("hf_expired")
    with pytest.raises(FetchError, match="the token in HF_TOKEN is not accepted") as caught:
        fetch(manifest(), "en", options(server, tmp_path))
    assert "unset it" in caught.value.remedy
    assert "hf_expired" not in str(caught.value)


def test_rate_limit_on_a_file_is_not_a_missing_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "TRIES", 1)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client's own pauses, 15 s in all
    server.failures.append(Failure("/resolve/", 429, times=999))
    with pytest.raises(TransientError, match="429"):
        fetch(manifest(), "en", options(server, tmp_path))


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    with pytest.raises(TransientError, match="the connection failed"):
        fetch(manifest(), "en", FetchOptions(str(tmp_path), endpoint="http://127.0.0.1:9"))


def test_cut_transfer_goes_on_where_it_stopped(server, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    server.failures.append(Failure("/lfs/", cut_after=300_000, method="GET"))
    (file,) = fetch(manifest(["data/large.bin"]), "en", options(server, tmp_path))
    assert Path(file.path).read_bytes() == LARGE
    ranges = [
        r.headers.get("range") or r.headers.get("Range")
        for r in server.seen
        if r.path.startswith("/lfs/") and r.method == "GET"
    ]
    assert ranges[0] is None
    assert ranges[1].startswith("bytes=")
    assert ranges[1] != "bytes=0-"


def test_wrong_bytes_never_take_their_place(server, tmp_path):
    """The server changes a file between listing and download: same size, other content."""
    asked = hub._asked

    def then_changed(repo, ref, options, saved):
        listing = asked(repo, ref, options, saved)
        name = "data/train-00.jsonl"
        size, identity = listing.files[name]
        listing.files[name] = (size, identity[:-1] + ("0" if identity[-1] != "0" else "1"))
        return listing

    hub._asked = then_changed
    try:
        with pytest.raises(TransientError, match="not what the repository lists"):
            fetch(manifest(["data/train-00.jsonl"]), "en", options(server, tmp_path))
    finally:
        hub._asked = asked
    assert fetched_files(tmp_path) == []


SCRIPT = """
import sys
from sources.fetch import FetchOptions, fetch
from tests.sources.test_fetch_hub import manifest
fetch(manifest(["data/large.bin"]), "en", FetchOptions(sys.argv[1], endpoint=sys.argv[2]))
"""


def test_killed_in_the_middle_leaves_no_half_file(server, tmp_path):
    stalled = threading.Event()
    release = threading.Event()

    class Stall(Failure):
        def meets(self, request):
            if super().meets(request):
                stalled.set()
                release.wait(20)
            return False

    server.failures.append(Stall("/lfs/", method="GET"))
    root = Path(__file__).parents[2]
    env = os.environ | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(root)}
    child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "raw"), server.endpoint], cwd=root, env=env)
    try:
        # The server asks the failure under its lock, so it serves nobody else meanwhile.
        assert stalled.wait(30)
        child.kill()
        child.wait()
    finally:
        release.set()
    time.sleep(0.05)
    assert fetched_files(tmp_path) == []
    (file,) = fetch(manifest(["data/large.bin"]), "en", options(server, tmp_path))
    assert Path(file.path).read_bytes() == LARGE
