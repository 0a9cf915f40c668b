"""Fetching from a Hub that is busy, gone, cut off or wrong, and after being killed."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from open_ml_embed.core.errors import FetchError, TransientError
from sources.fetch import FetchOptions, fetch, hub
from tests.support import ROOT
from tests.support.hub.server import Failure
from tests.support.hub_set import LARGE, fetched_files, manifest, options, serving_set


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serving_set(tmp_path / "hub", monkeypatch) as running:
        yield running


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
    asked = hub._list_remote

    def then_changed(repo, ref, options, saved):
        listing = asked(repo, ref, options, saved)
        name = "data/train-00.jsonl"
        size, identity = listing.files[name]
        listing.files[name] = (size, identity[:-1] + ("0" if identity[-1] != "0" else "1"))
        return listing

    hub._list_remote = then_changed
    try:
        with pytest.raises(TransientError, match="not what the repository lists"):
            fetch(manifest(["data/train-00.jsonl"]), "en", options(server, tmp_path))
    finally:
        hub._list_remote = asked
    assert fetched_files(tmp_path) == []


SCRIPT = """
import sys
from sources.fetch import FetchOptions, fetch
from tests.support.hub_set import manifest
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
    root = ROOT
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
