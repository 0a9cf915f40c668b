"""Fetching with the real client from a Hub on this machine: which files, under which identities, from which place."""

import hashlib
from pathlib import Path

import pytest

from open_ml_embed.core.errors import FetchError, UnknownNameError
from sources.fetch import fetch, hub
from sources.manifest import Manifest
from tests.support.hub.server import Failure, git_oid
from tests.support.hub_set import LARGE, PLAIN, fetched_files, manifest, options, serving_set


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serving_set(tmp_path / "hub", monkeypatch) as running:
        yield running


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


def test_missing_conversion_says_what_to_do_instead(server, tmp_path):
    with pytest.raises(FetchError, match="the Hub has no Parquet conversion of it") as caught:
        fetch(manifest(["default/train/*.parquet"], ref="refs/convert/parquet"), "en", options(server, tmp_path))
    assert caught.value.where == "org/set at refs/convert/parquet"
    for way in ("https://huggingface.co/datasets/org/set/tree/main", "mirror", "<local_root>/org/set", "convert it"):
        assert way in caught.value.remedy
    server.add("org/copy", "default/train/0000.parquet", PLAIN, ref="refs/convert/parquet")
    source = manifest(
        ["default/train/*.parquet"], ref="refs/convert/parquet", mirrors=["org/copy@refs/convert/parquet"]
    )
    assert len(fetch(source, "en", options(server, tmp_path))) == 1, "as the remedy says"


def test_conversion_made_by_hand_takes_the_place_of_a_missing_one(server, tmp_path):
    home = tmp_path / "local/org/set/default/train"
    home.mkdir(parents=True)
    (home / "0000.parquet").write_bytes(PLAIN)
    source = manifest(["default/train/*.parquet"], ref="refs/convert/parquet")
    assert len(fetch(source, "en", options(server, tmp_path, local_root=str(tmp_path / "local")))) == 1


def test_partial_conversion_is_refused(server, tmp_path):
    ref = "refs/convert/parquet"
    server.add("org/set", "default/partial-train/0000.parquet", PLAIN, ref=ref)
    for glob in ("default/train/*.parquet", "default/*/*.parquet"):
        with pytest.raises(FetchError, match="only a part of the dataset is there: default/partial-train") as caught:
            fetch(manifest([glob], ref=ref), "en", options(server, tmp_path))
        for way in ("main branch", "mirror", "convert the dataset yourself", "sources.local_root"):
            assert way in caught.value.remedy


def test_unknown_subset(server, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown subset 'ed'"):
        fetch(manifest(), "ed", options(server, tmp_path))
