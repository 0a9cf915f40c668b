"""Fetching over plain HTTP from a server that is busy, cuts off, redirects or refuses."""

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from email.utils import formatdate

import pytest

from open_ml_embed.core.errors import FetchError, TransientError
from sources.fetch import FetchOptions, fetch, retry, url
from sources.fetch.http_validators import Version
from tests.support.hub.server import Failure
from tests.support.url_set import LARGE, PLAIN, content, getting, manifest, placed, ranges, serving_set, sha256


@pytest.fixture
def server(monkeypatch):
    with serving_set(monkeypatch) as running:
        yield running


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made, in seconds, without their taking any time."""
    made = []
    monkeypatch.setattr(retry.time, "sleep", made.append)
    return made


@pytest.fixture
def get(server, tmp_path):
    return getting(server, tmp_path)


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


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><title>Log in</title>", b"\xef\xbb\xbf \n<HTML><script>x()</script>"]
)
def test_a_page_in_place_of_a_file_is_never_taken_for_it(get, server, tmp_path, page):
    server.files["v1/a.jsonl"] = page
    with pytest.raises(FetchError, match="a web page came in place of the file") as caught:
        get("a.jsonl")
    assert "browser" in caught.value.remedy
    assert placed(tmp_path) == []
    server.files["v1/a.jsonl"] = PLAIN
    assert content(get("a.jsonl")) == [PLAIN]


def test_a_page_that_is_stated_is_a_file(get, server):
    page = b"<!DOCTYPE html>"
    server.files["v1/a.jsonl"] = page
    assert content(get("a.jsonl", sums={"a.jsonl": sha256(page)})) == [page]


def test_a_server_that_drips_is_left_in_time(tmp_path, monkeypatch, pauses):
    """A byte now and then meets no timeout of a single read, in the headers as little as in the body."""
    monkeypatch.setattr(url, "_fresh", {})
    monkeypatch.setattr(url, "SLOW_S", 0.3)
    monkeypatch.setattr(url, "ANSWER_S", 0.5)
    monkeypatch.setattr(url, "TRIES", 2)
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    for start, says in ((body, "sends too slowly"), (b"HTTP/1.1 200 OK\r\nX: ", "the connection failed")):
        with dripping(start) as server, pytest.raises(TransientError, match=says):
            fetch(manifest(server, ["a.jsonl"]), "en", FetchOptions(str(tmp_path)))


class Dripping:
    def __init__(self, listening: socket.socket) -> None:
        self.endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def dripping(start: bytes):
    """A server that answers every request with the same start, and then a byte every now and then."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(start)
            while not over.wait(0.02):
                connection.sendall(b"x")

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield Dripping(listening)
        over.set()


@pytest.mark.parametrize("damage", [b"", b"[", b'{"key": 3}'])
def test_a_damaged_listing_is_made_again(get, server, tmp_path, damage):
    get("a.jsonl")
    (listing,) = (tmp_path / "raw/url/example/.listing").iterdir()
    listing.write_bytes(damage)
    assert content(get("a.jsonl")) == [PLAIN]
    assert placed(tmp_path) == ["a.jsonl"]


def test_lengths_that_are_no_numbers_are_none():
    for said in ("²", "-5", "9" * 30, "1e3", ""):
        assert Version.of({"content-length": said}).size is None
    assert Version.of({"content-length": "12"}).size == 12
