"""Several files at once: limits for each host, the same bytes as one after the other, and on after a kill."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from curation.build import Build
from curation.failures import RefusedError
from curation.fetch.step import run_fetch
from curation.pipeline.freshness import Checker
from curation.pipeline.run import run_step
from curation.pipeline.validation import check_profile
from open_ml_embed.core.errors import StageError, UnknownNameError
from sources.fetch import FetchOptions, fetch, hub, url
from sources.fetch.transfers import Limits, Transfers
from tests.support import ROOT
from tests.support.hub.files import serving_files
from tests.support.hub.server import Failure, serving
from tests.support.hub_set import PLAIN, manifest
from tests.support.hub_set import options as hub_options

SUBSETS = ["s0", "s1", "s2"]
FIELDS = {"q": "string", "d": "string"}
LARGE = 1 << 20


def content(name: str, size: int = 200) -> bytes:
    return (json.dumps({"q": name, "d": f"{name} " + "x" * size}) + "\n").encode()


def tables(*globs):
    return {f"t{i}": {"files": [glob], "format": "jsonl", "fields": FIELDS} for i, glob in enumerate(globs)}


@pytest.fixture
def servers(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(url, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    monkeypatch.setattr(url, "_fresh", {})
    with serving(tmp_path / "hub") as the_hub, serving_files() as files:
        yield the_hub, files


@pytest.fixture
def world(servers, workshop):
    """Two sources of one repository, one of another, and one at an address; three subsets each."""
    the_hub, files = servers
    shape = {"kind": "pair", "args": {"query": "q", "positive": "d"}}
    for repo in ("town/a", "town/b"):
        for subset in SUBSETS:
            for number in range(2):
                the_hub.add(repo, f"{subset}/{number}.jsonl", content(f"{repo} {subset} {number}"))
        the_hub.add(repo, "shared.jsonl", content(f"{repo} shared"))
    for subset in SUBSETS:
        for number in range(2):
            files.files[f"v/{subset}/{number}.jsonl"] = content(f"url {subset} {number}")
    for name, repo in (("apples", "town/a"), ("apricots", "town/a"), ("beans", "town/b")):
        origin = {"kind": "hub", "repo": repo}
        workshop.manifest(name, SUBSETS, origin=origin, shape=shape, tables=tables("{subset}/*.jsonl", "shared.jsonl"))
    origin = {"kind": "url", "base": f"{files.endpoint}/v"}
    named = tables("{subset}/0.jsonl", "{subset}/1.jsonl")
    workshop.manifest("cherries", SUBSETS, origin=origin, shape=shape, tables=named)

    def build(folder="one", **sources):
        chosen = {"include": ["apples", "apricots", "beans", "cherries"], "collection": None}
        made = workshop.build(sources=chosen | {"endpoint": the_hub.endpoint} | sources)
        hub._listings.clear()
        url._fresh.clear()
        return replace(made, root=workshop.root / folder)

    return build


def step_file(build: Build) -> bytes:
    return (build.out / "steps/fetch.json").read_bytes()


def test_files_come_at_once_within_the_limit_of_each_host(servers, world):
    the_hub, files = servers
    the_hub.delay_s = files.delay_s = 0.05
    result = run_step(world(hub_connections=3, url_connections=2), "fetch")
    assert 1 < the_hub.most_busy <= 3
    assert files.most_busy == 2
    assert list(result.stats["files"]) == ["apples", "apricots", "beans", "cherries"]
    assert the_hub.requests("town/a/resolve/.*/shared.jsonl", "GET") == 1, "two sources and three subsets read it"


def test_the_step_file_does_not_depend_on_how_many_come_at_once(world):
    many, few = world("many", hub_connections=8, url_connections=6), world("few", hub_connections=1, url_connections=1)
    run_step(many, "fetch")
    run_step(few, "fetch")
    assert step_file(many) == step_file(few)
    for path in many.raw.rglob("*.jsonl"):
        assert (few.raw / path.relative_to(many.raw)).read_bytes() == path.read_bytes()
    alone = FetchOptions(str(many.raw), endpoint=many.profile.sources.endpoint)
    listed = json.loads(step_file(many))["stats"]["files"]
    for source in listed:
        for subset in SUBSETS:
            names = [(file.table, file.name) for file in fetch(many.manifest(source), subset, alone)]
            assert [(entry["table"], entry["name"]) for entry in listed[source][subset]] == names


def test_a_pause_that_the_server_asks_for_is_kept(servers, world):
    the_hub, files = servers
    pause = {"Retry-After": "1"}
    # the client of the Hub asks once more for a file before it heeds the pause
    the_hub.failures.append(Failure("/town/b/resolve/.*/s1/0", 429, headers=pause, method="HEAD", times=2))
    the_hub.failures.append(Failure("/town/a/revision/", 429, headers=pause))
    files.failures.append(Failure("s2/1", 503, headers=pause))
    run_step(world(hub_connections=4), "fetch")
    for server, path in ((the_hub, "town/b/resolve/.*s1/0"), (the_hub, "town/a/revision/"), (files, "s2/1")):
        began = [at for at, _, asked in server.times if re.search(path, asked)]
        assert max(later - earlier for earlier, later in itertools.pairwise(began)) >= 1


def test_while_a_host_rests_nothing_begins_there(tmp_path):
    transfers = Transfers(Limits(hub=4), at_once=True)
    pauses = transfers.pauses("hub", "here")
    with pauses.resting():
        here = transfers.start("hub", "here", time.monotonic)
        there = transfers.start("hub", "there", time.monotonic)
        there.result()
        time.sleep(0.05)
        rested = time.monotonic()
    assert here.result() >= rested
    transfers.close()


def test_a_source_that_fails_keeps_no_other_back_and_normalize_needs_the_profiles_word(servers, world, capsys):
    the_hub, files = servers
    del files.files["v/s1/1.jsonl"]
    the_hub.gated.add("town/b")
    with pytest.raises(RefusedError) as caught:
        run_step(world(), "fetch")
    assert list(caught.value.result.stats["files"]) == ["apples", "apricots"]
    for word in (
        "2 of 4 sources",
        "beans",
        "accept its terms",
        "cherries",
        "no such file (HTTP 404)",
        "correct `base`",
    ):
        assert word in str(caught.value)
    with pytest.raises(StageError, match="step fetch does not count as done: beans, cherries failed in it"):
        run_step(world(), "normalize")
    some = world(allow_missing=["beans"])
    with pytest.raises(RefusedError, match="1 of 4 sources could not be fetched: cherries"):
        run_step(some, "fetch")
    allowed = world(allow_missing=["cherries", "beans"])
    capsys.readouterr()
    result = run_step(allowed, "fetch")
    assert list(result.skipped) == ["beans", "cherries"]
    assert result.skipped["beans"].startswith("it could not be fetched: the repository is gated")
    assert "skipped beans, as `sources.allow_missing` allows:" in capsys.readouterr().err
    rows = run_step(allowed, "normalize")
    assert sorted({shard.source for shard in rows.shards}) == ["apples", "apricots"]
    assert list(rows.skipped) == ["beans", "cherries"]
    assert Checker(world()).state("fetch").kind == "stale", "the word is taken back"


def test_a_source_that_may_be_missing_has_to_be_in_the_profile(world, workshop):
    workshop.mix("retrieval")
    workshop.mix("instruction")
    with pytest.raises(UnknownNameError, match="chestnuts") as caught:
        check_profile(replace(world(allow_missing=["chestnuts"]), root=workshop.root), "params.yaml")
    assert "sources.allow_missing" in str(caught.value)


def test_a_refused_file_lets_the_mirror_in_for_the_whole_table(servers, tmp_path):
    the_hub, _ = servers
    for repo in ("org/set", "org/copy"):
        for number in range(6):
            the_hub.add(repo, f"data/train-{number:02d}.jsonl", PLAIN * (number + 1))
    the_hub.failures.append(Failure("/org/set/resolve/.*train-03", 403, times=99))
    transfers = Transfers(at_once=True)
    files = fetch(manifest(mirrors=["org/copy"]), "en", hub_options(the_hub, tmp_path, transfers=transfers))
    transfers.close()
    assert len(files) == 6
    assert all("/org/copy/" in file.path for file in files)


def test_bytes_are_counted(servers, world, capsys):
    run_step(world(), "fetch")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith('{"step": "fetch"')]
    there = {}
    for path in (world().raw).rglob("*.jsonl"):
        there[path] = path.stat().st_size
    assert lines[0]["bytes"] == 0
    assert lines[-1]["bytes"] == lines[-1]["total_bytes"] == sum(there.values())
    assert (lines[-1]["done"], lines[-1]["total"]) == (12, 12)


def test_a_killed_fetch_goes_on_where_it_was(servers, world, workshop):
    the_hub, files = servers
    for name in ("a.bin", "b.bin"):
        files.files[f"v/{name}"] = content(name, LARGE)
        the_hub.add("town/big", name, content(name, LARGE))
    shape = {"kind": "pair", "args": {"query": "q", "positive": "d"}}
    globs = tables("a.bin", "b.bin")
    workshop.manifest("melons", ["all"], origin={"kind": "hub", "repo": "town/big"}, shape=shape, tables=globs)
    origin = {"kind": "url", "base": f"{files.endpoint}/v"}
    workshop.manifest("nuts", ["all"], origin=origin, shape=shape, tables=globs)
    settings = {"include": ["melons", "nuts", "apples"], "endpoint": the_hub.endpoint}
    workshop.mix("retrieval")
    workshop.mix("instruction")
    (workshop.root / "params.yaml").write_text(yaml.safe_dump({"profile": "test", "test": {"sources": settings}}))
    stop = [LARGE // 2, True]

    def hold(sent):
        while sent > stop[0] and stop[1]:
            time.sleep(0.02)

    the_hub.hold = files.hold = hold

    def arrived():
        return sum(path.stat().st_size for path in workshop.root.glob("work/raw/url/nuts/.incoming/*.part"))

    env = os.environ | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "curation.cli.app", "fetch"]
    child = subprocess.Popen(command, cwd=workshop.root, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while arrived() < LARGE // 4 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
    finally:
        stop[1] = False
    assert LARGE // 4 <= arrived() < LARGE
    build = world(".", include=["melons", "nuts", "apples"])
    assert not (build.out / "steps/fetch.json").exists()
    run_step(build, "fetch")
    ranges = [request.headers.get("Range") or request.headers.get("range") for request in files.seen]
    assert any(ranges), "what had come was not fetched again"
    again = world("fresh", include=["melons", "nuts", "apples"])
    run_step(again, "fetch")
    assert step_file(build) == step_file(again)
    for entry in json.loads(step_file(build))["stats"]["files"]["nuts"]["all"]:
        assert Path(build.root / entry["path"]).read_bytes() == files.files[f"v/{entry['name']}"]


def test_an_interrupt_ends_what_is_under_way(servers, world, monkeypatch):
    the_hub, _ = servers
    the_hub.add("town/b", "shared.jsonl", content("big", 4 * LARGE))
    build = world()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("curation.fetch.step.as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_fetch(build, Checker(build).inputs("fetch"))
    assert not (build.out / "steps/fetch.json").exists()
