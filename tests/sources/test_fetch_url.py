"""Fetching over plain HTTP from a file server on this machine that fails as real ones do."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path

import pytest

from sources.errors import FetchError, ManifestError, TransientError
from sources.fetch import FetchOptions, fetch, retry, url
from tests.hub.files import serving_files
from tests.hub.server import Failure
from tests.sources.test_fetch_hub import manifest as hub_manifest

LARGE = os.urandom(1 << 20)
PLAIN = b'{"a": "x"}\n'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(url, "PAUSE_S", 0.001)
    monkeypatch.setattr(url, "_fresh", {})
    with serving_files() as running:
        running.files |= {"v1/data/large.bin": LARGE, "v1/a.jsonl": PLAIN, "v1/b c.jsonl": PLAIN * 2}
        yield running


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made, in seconds, without their taking any time."""
    made = []
    monkeypatch.setattr(retry.time, "sleep", made.append)
    return made


@pytest.fixture
def get(server, tmp_path):
    """Fetch as a process of its own does, that has asked nobody before."""

    def fetched(*files, sums=None, **options):
        url._fresh.clear()
        options = {"raw_root": str(tmp_path / "raw")} | options
        return fetch(manifest(server, files, sums), "en", FetchOptions(**options))

    return fetched


def manifest(server, files, sums=None):
    data = hub_manifest(files).model_dump()
    data["origin"] = {"kind": "url", "base": f"{server.endpoint}/v1", "sha256": sums or {}}
    return type(hub_manifest()).model_validate(data)


def content(files):
    return [Path(file.path).read_bytes() for file in files]


def ranges(server):
    """The ranges asked for, one entry a download."""
    return [r.headers.get("Range") or r.headers.get("range") for r in server.seen if r.method == "GET"]


def placed(tmp_path):
    root = tmp_path / "raw/url/example"
    return sorted(p.name for p in root.rglob("*") if p.is_file() and p.relative_to(root).parts[0][0] != ".")


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


@pytest.mark.parametrize(
    ("status", "headers", "least"),
    [
        (429, {}, 0.001), (503, {}, 0.001), (500, {}, 0.001),
        (429, {"Retry-After": "7"}, 7), (503, {"Retry-After": "7"}, 7), (429, {"Retry-After": "nonsense"}, 0.001),
        (429, {"RateLimit": '"files";r=0;t=11'}, 11), (429, {"RateLimit": '"files";r=3;t=11'}, 0.001),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12),
        (429, {"Retry-After": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5"}, 5),
    ],
)  # fmt: skip
def test_passing_failures_pass_after_the_pause_asked_for(get, server, pauses, status, headers, least):
    server.failures.append(Failure("a.jsonl", status, headers=headers))
    assert content(get("a.jsonl")) == [PLAIN]
    assert pauses == [least]


def test_pauses_that_are_moments(get, server, pauses):
    soon = time.time() + 30
    server.failures += [
        Failure("a.jsonl", 429, headers={"Retry-After": formatdate(soon, usegmt=True)}),
        Failure("a.jsonl", 429, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(soon))}),
        Failure("a.jsonl", 503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    ]
    get("a.jsonl")
    assert [round(pause, -1) for pause in pauses] == [30, 30, 0]


def test_pauses_grow_and_end(get, server, pauses):
    server.failures.append(Failure("a.jsonl", 503, times=99))
    with pytest.raises(TransientError, match=r"the server failed \(HTTP 503\)"):
        get("a.jsonl")
    assert pauses == [0.001, 0.002, 0.004, 0.008]


def test_too_long_a_pause_is_left_to_another_run(get, server, pauses):
    server.failures.append(Failure("a.jsonl", 429, headers={"Retry-After": "3600"}))
    with pytest.raises(TransientError, match="429") as caught:
        get("a.jsonl")
    assert "3600 s" in caught.value.remedy
    assert pauses == []


def test_cut_transfer_goes_on_where_it_stopped(get, server):
    server.failures += [Failure("large", cut_after=300_000), Failure("large", cut_after=200_000)]
    assert content(get("data/large.bin")) == [LARGE]
    assert ranges(server) == [None, "bytes=300000-", "bytes=500000-"]
    assert server.seen[1].headers["If-Range"] == server.headers(LARGE)["ETag"]


def test_cuts_do_not_count_while_there_is_progress(get, server):
    server.failures.append(Failure("large", cut_after=100_000, times=9))
    assert content(get("data/large.bin")) == [LARGE]
    assert len(ranges(server)) == 10 > url.TRIES


def test_another_run_goes_on_with_what_a_killed_one_left(get, server, monkeypatch, tmp_path):
    monkeypatch.setattr(url, "TRIES", 1)
    server.failures += [Failure("large", cut_after=300_000), Failure("large", 503)]
    with pytest.raises(TransientError, match="the connection failed"):
        get("data/large.bin")
    with pytest.raises(TransientError, match="503"):
        get("data/large.bin")
    assert placed(tmp_path) == []
    assert content(get("data/large.bin")) == [LARGE]
    assert ranges(server)[-1] == "bytes=300000-"


def test_server_without_ranges_starts_again(get, server):
    server.ranges = False
    server.failures.append(Failure("large", cut_after=300_000))
    assert content(get("data/large.bin")) == [LARGE]
    assert ranges(server) == [None, "bytes=300000-"]


class Replaced(Failure):
    """The publisher puts another file there after the first part went out."""

    def meets(self, request):
        met = super().meets(request)
        if not met and request.count == 2:
            self.server.files["v1/data/large.bin"] = self.other
        return met


@pytest.mark.parametrize("size", [len(LARGE), 800_000, 200_000])
@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_file_changed_between_parts(get, server, heeds_if_range, size):
    server.heeds_if_range = heeds_if_range
    change = Replaced("large", cut_after=300_000)
    change.server, change.other = server, os.urandom(size)
    server.failures.append(change)
    assert content(get("data/large.bin")) == [change.other]
    assert len(ranges(server)) == (2 if heeds_if_range else 3)


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


def test_parts_that_do_not_belong_together_are_fetched_again_as_one(get, server, tmp_path):
    server.failures.append(Failure("large", cut_after=300_000))
    sums = {"data/large.bin": sha256(LARGE)}
    part = tmp_path / "raw/url/example/.incoming/data%2Flarge.bin.part"

    class Spoil(Failure):
        def meets(self, request):
            if request.count == 2:
                part.write_bytes(bytes(part.stat().st_size))
            return False

    server.failures.append(Spoil("large"))
    assert content(get("data/large.bin", sums=sums)) == [LARGE]
    assert ranges(server) == [None, "bytes=300000-", None]


def test_checksum_stated_later_refuses_what_is_here(get, server):
    get("a.jsonl")
    sums = {"a.jsonl": "0" * 64}
    with pytest.raises(FetchError, match="offline"):
        get("a.jsonl", sums=sums, offline=True)
    with pytest.raises(FetchError, match="the manifest states"):
        get("a.jsonl", sums=sums)


@pytest.mark.parametrize(
    ("status", "what", "remedy"),
    [(401, "access refused", "with a browser"), (403, "access refused", "with a browser"),
     (410, "no such file", "correct `base`"), (400, "refused", "check the address")],
)  # fmt: skip
def test_refusals_are_final_and_say_what_to_do(get, server, status, what, remedy):
    server.failures.append(Failure("a.jsonl", status, times=9))
    with pytest.raises(FetchError, match=rf"{what} \(HTTP {status}\)") as caught:
        get("a.jsonl")
    assert remedy in caught.value.remedy
    assert "<local_root>/example/a.jsonl" in caught.value.remedy
    assert server.requests("a.jsonl") == 1


def test_missing_file(get, server, tmp_path):
    with pytest.raises(FetchError, match=r"no such file \(HTTP 404\)") as caught:
        get("gone.jsonl")
    assert f"{server.endpoint}/v1/gone.jsonl" in caught.value.where
    assert "correct `base` or `files`" in caught.value.remedy
    assert placed(tmp_path) == []


def test_redirects_are_followed(get, server):
    server.files["new/a.jsonl"] = PLAIN * 5
    server.failures.append(Failure("v1/a.jsonl", 302, headers={"Location": f"{server.endpoint}/new/a.jsonl"}))
    assert content(get("a.jsonl")) == [PLAIN * 5]


def test_redirect_in_a_circle(get, server):
    server.failures.append(Failure("v1/a.jsonl", 302, times=99, headers={"Location": f"{server.endpoint}/v1/a.jsonl"}))
    with pytest.raises(FetchError, match="the address leads nowhere"):
        get("a.jsonl")


def test_no_server(monkeypatch, tmp_path, pauses):
    class Nobody:
        endpoint = "http://127.0.0.1:9"

    with pytest.raises(TransientError, match="the connection failed"):
        fetch(manifest(Nobody, ["a.jsonl"]), "en", FetchOptions(str(tmp_path)))
