"""Fetching over plain HTTP from a file server on this machine: whole, once, and under their checksums."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from open_ml_embed.core.errors import FetchError, ManifestError
from sources.fetch import FetchOptions, fetch
from tests.support.hub.server import Failure
from tests.support.url_set import LARGE, PLAIN, content, getting, manifest, placed, ranges, serving_set, sha256


@pytest.fixture
def server(monkeypatch):
    with serving_set(monkeypatch) as running:
        yield running


@pytest.fixture
def get(server, tmp_path):
    return getting(server, tmp_path)


def test_files_come_whole_under_their_checksums(get, server, tmp_path):
    files = get("data/large.bin", "a.jsonl", "b c.jsonl")
    assert [file.name for file in files] == ["a.jsonl", "b c.jsonl", "data/large.bin"]
    assert content(files) == [PLAIN, PLAIN * 2, LARGE]
    for file, data in zip(files, content(files), strict=True):
        assert (file.size, file.identity, file.table) == (len(data), f"sha256:{sha256(data)}", "records")
        assert Path(file.path).is_relative_to(tmp_path / "raw/url/example")
        assert file.path.endswith(f"/{file.name}")
    assert not list((tmp_path / "raw/url/example/.incoming").glob("*.part"))


def test_asked_once_for_all_subsets_and_then_only_whether_it_changed(get, server, tmp_path):
    first = get("a.jsonl")
    fetch(manifest(server, ["a.jsonl"]), "de", FetchOptions(str(tmp_path / "raw")))
    assert server.requests("a.jsonl") == 1
    assert get("a.jsonl") == first
    assert server.seen[-1].headers["If-None-Match"] == server.headers(PLAIN)["ETag"]


def test_a_server_deaf_to_conditions_is_left_before_the_content(get, server, tmp_path):
    server.heeds_conditions = False
    (first,) = get("data/large.bin")
    before = Path(first.path).stat().st_mtime_ns
    assert get("data/large.bin") == [first]
    assert Path(first.path).stat().st_mtime_ns == before


def test_two_at_once_fetch_it_once(server, tmp_path):
    server.failures.append(Failure("large", cut_after=500_000))
    both = [FetchOptions(str(tmp_path / "raw"), files_per_table=most) for most in (1, 2)]  # unknown to each other
    with ThreadPoolExecutor() as pool:
        one, two = pool.map(lambda options: fetch(manifest(server, ["data/large.bin"]), "en", options), both)
    assert content(one) == content(two) == [LARGE]
    assert one == two
    assert ranges(server) == [None, "bytes=500000-", None]
    assert "If-None-Match" in server.seen[-1].headers


@pytest.mark.parametrize(("tags", "dates"), [(True, False), (False, True)])
def test_a_file_that_changes_gets_a_place_of_its_own(get, server, tags, dates):
    server.tags, server.dates = tags, dates
    before = get("a.jsonl")
    server.files["v1/a.jsonl"] = b'{"a": "new, and longer"}\n'
    after = get("a.jsonl")
    assert content(before + after) == [PLAIN, b'{"a": "new, and longer"}\n']
    assert before[0].identity != after[0].identity


def test_a_server_that_says_nothing_of_versions(get, server):
    server.tags = False
    assert content(get("a.jsonl")) == [PLAIN]
    server.files["v1/a.jsonl"] = PLAIN * 3
    assert content(get("a.jsonl")) == [PLAIN * 3]
    server.failures.append(Failure("large", cut_after=300_000))
    assert content(get("data/large.bin")) == [LARGE]
    assert ranges(server)[-1] is None, "parts of unknown versions are not put together"


def test_files_per_table(get):
    assert [file.name for file in get("data/large.bin", "a.jsonl", files_per_table=1)] == ["a.jsonl"]


def test_wildcards_are_refused(get):
    with pytest.raises(ManifestError, match="wildcards in data/"):
        get("data/*.bin")


def test_local_folder_wins_and_needs_no_network(get, server, tmp_path):
    home = tmp_path / "local/example"
    home.mkdir(parents=True)
    (home / "a.jsonl").write_bytes(b"mine")
    local = {"local_root": str(tmp_path / "local")}
    (file,) = get("a.jsonl", **local)
    assert (Path(file.path).read_bytes(), file.identity) == (b"mine", f"sha256:{sha256(b'mine')}")
    with pytest.raises(FetchError, match=r"no file matches b\.jsonl"):
        get("b.jsonl", **local)
    with pytest.raises(FetchError, match="the manifest states") as caught:
        get("a.jsonl", sums={"a.jsonl": sha256(PLAIN)}, **local)
    assert f"{server.endpoint}/v1/a.jsonl" in caught.value.remedy
    assert not server.asked


def test_local_root_without_the_source_leaves_it_to_the_network(get, tmp_path):
    assert content(get("a.jsonl", local_root=str(tmp_path))) == [PLAIN]


def test_offline_uses_what_is_here_and_nothing_else(get, server, tmp_path):
    online = get("a.jsonl")
    asked = sum(server.asked.values())
    assert get("a.jsonl", offline=True) == online
    with pytest.raises(FetchError, match="not fetched yet, and this run is offline"):
        get("data/large.bin", offline=True)
    Path(online[0].path).unlink()
    with pytest.raises(FetchError, match="not fetched yet"):
        get("a.jsonl", offline=True)
    assert sum(server.asked.values()) == asked


def test_checksum_that_fits_places_the_file_and_spares_the_next_question(get, server, tmp_path):
    sums = {"a.jsonl": sha256(PLAIN)}
    (file,) = get("a.jsonl", sums=sums)
    assert Path(file.path).parent.name == sums["a.jsonl"][:16]
    get("a.jsonl", sums=sums)
    assert server.requests("a.jsonl") == 1


def test_wrong_checksum_never_takes_its_place(get, server, tmp_path):
    with pytest.raises(FetchError, match=f"sha256 is {sha256(PLAIN)}, the manifest states 0000") as caught:
        get("a.jsonl", sums={"a.jsonl": "0" * 64})
    assert "correct `sha256`" in caught.value.remedy
    assert server.requests("a.jsonl") == 1
    assert placed(tmp_path) == []


def test_checksum_stated_later_refuses_what_is_here(get, server):
    get("a.jsonl")
    sums = {"a.jsonl": "0" * 64}
    with pytest.raises(FetchError, match="offline"):
        get("a.jsonl", sums=sums, offline=True)
    with pytest.raises(FetchError, match="the manifest states"):
        get("a.jsonl", sums=sums)
