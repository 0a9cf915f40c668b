"""A source whose origin is gone: nobody asks for it, nobody waits for it, and everybody is told what took its place."""

import json

import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from curation.fetch import lock as locking
from curation.pipeline.plan import make_plan
from curation.pipeline.run import run_step
from curation.pipeline.source_filter import Filter
from curation.raw_files import lock_path
from sources.fetch import hub
from sources.lock import read_lock
from tests.support.hub.server import serving
from tests.support.workshop import RATES

DEAD = {"kind": "dead", "replaced_by": "the source `laws`, from the same archive"}


@pytest.fixture
def village(workshop, tmp_path, monkeypatch):
    """A source that lives and one that is dead, both on a Hub that still has files of both."""
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    tables = {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}}
    shape = {"kind": "pair", "args": {"query": "q", "positive": "d"}}
    for name, more in (("laws", {}), ("edicts", {"access": DEAD, "samples": 40})):
        origin = {"kind": "hub", "repo": f"court/{name}"}
        workshop.manifest(name, ["de"], origin=origin, tables=tables, shape=shape, **more)
    workshop.mix("instruction")
    (workshop.root / "manifests/rates.yaml").write_text(json.dumps(RATES))
    with serving(tmp_path / "hub") as server:
        for name in ("laws", "edicts"):
            server.add(f"court/{name}", "a.jsonl", b'{"q": "Who may fish?", "d": "Whoever has a boat."}\n')
        yield workshop.build(sources={"collection": "offline", "endpoint": server.endpoint}), server


def test_fetch_skips_it_with_what_replaced_it_and_asks_nobody(village, capsys):
    build, server = village
    result = run_step(build, "fetch")
    assert result.skipped == {"edicts": f"its origin is gone; {DEAD['replaced_by']} takes its place"}
    assert f"skipped edicts: its origin is gone; {DEAD['replaced_by']}" in capsys.readouterr().err
    assert list(result.stats["files"]) == ["laws"]
    assert server.requests("court/laws")
    assert not server.requests("court/edicts")


def test_the_steps_after_it_go_on_without(village):
    build, _ = village
    run_step(build, "fetch")
    rows = run_step(build, "normalize")
    assert [shard.source for shard in rows.shards] == ["laws"]
    assert list(rows.skipped) == ["edicts"], "the report says it"


def test_it_is_not_locked_and_not_missed(village):
    build, server = village
    locked = locking.run_lock(build).stats
    assert (locked["revisions"], locked["changed"]) == (1, 1)
    lock = read_lock(lock_path(build))
    assert lock is not None
    assert list(lock.revisions) == [("court/laws", "main")]
    assert not server.requests("court/edicts")


def test_plan_counts_it_and_says_what_goes_with_it(village):
    build, _ = village
    made = make_plan(build)
    assert made["corpus"]["access"] == {"dead": 40, "open": 1}
    assert made["lost"]["open access only (no gated or manual sources)"]["sources"] == ["edicts"]
    assert make_plan(build, Filter(access="open"))["corpus"]["rows"] == 1


def test_show_says_what_replaced_it(village):
    shown = CliRunner().invoke(app, ["sources", "show", "edicts"], env={"COLUMNS": "200"}).stdout
    assert f"dead; replaced by: {DEAD['replaced_by']}" in shown
