"""`curate probe`: verdicts and exit codes of whole profiles, what is kept of them, and what a plan makes of it."""

import json
import os

import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.pipeline.outcome_forms import FORMS
from curation.pipeline.plan import make_plan
from curation.probe.run import (
    ProbeFailedError,
    ProbeFailedForNowError,
    kept_probe,
    manifest_digest,
    run_probe,
    unprobed_sources,
)
from curation.probe.table import probe_outcome
from open_ml_embed.core.errors import UnknownNameError, exit_code
from sources import registry
from sources.fetch import hub, retry
from sources.lock import Locked, write_lock
from tests.support.hub.server import Failure, serving
from tests.support.workshop import RATES

LINES = "".join(json.dumps({"q": f"question {i}", "d": f"answer {i}"}) + "\n" for i in range(30)).encode()
TABLE = {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}}
SHAPE = {"kind": "pair", "args": {"query": "q", "positive": "d"}}


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    with serving(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def project(workshop, server):
    """Three sources on the Hub of this machine."""
    for name in ("laws", "poems", "tales"):
        server.add(f"org/{name}", "train.jsonl", LINES)
        origin = {"kind": "hub", "repo": f"org/{name}"}
        workshop.manifest(name, ["en"], origin=origin, tables=TABLE, shape=SHAPE)
    return workshop


def build(project, server, **sources):
    return project.build(sources={"collection": "offline", "endpoint": server.endpoint} | sources)


def verdicts(found):
    return {source["source"]: source["verdict"] for source in found.sources}


def test_sources_are_probed_once_and_kept(project, server):
    of = build(project, server)
    first = run_probe(of)
    assert verdicts(first) == {"laws": "ok", "poems": "ok", "tales": "ok"}
    assert first.anew == ["laws", "poems", "tales"]
    assert probe_outcome(first).total.figures == {
        "files": 3, "bytes": 3 * len(LINES), "of_unknown_size": 0, "records": None, "head_records": 90, "head_rows": 90,
        "head_quarantined": 0, "head_damaged": 0, "read": 3 * len(LINES),
    }  # fmt: skip
    asked = len(server.seen)
    again = run_probe(of)
    assert (again.anew, again.sources, len(server.seen)) == ([], first.sources, asked)
    assert probe_outcome(again).total.figures["read"] == 0
    anew = run_probe(of, ["poems"], again=True)
    assert (anew.anew, len(anew.sources)) == (["poems"], 1)
    assert len(server.seen) > asked


def test_what_was_found_is_of_its_manifest_and_endpoint(project, server):
    of = build(project, server)
    run_probe(of)
    project.manifest("poems", ["en"], origin={"kind": "hub", "repo": "org/poems"}, tables=TABLE, shape=SHAPE, samples=9)
    assert unprobed_sources(of, of.manifests()) == [], "a count is nothing that a probe goes by"
    mended = {"clean": ["entities"], "origin": {"kind": "hub", "repo": "org/poems"}, "tables": TABLE, "shape": SHAPE}
    project.manifest("poems", ["en"], **mended)
    assert [m.name for m in unprobed_sources(of, of.manifests())] == ["poems"]
    assert kept_probe(of, registry.load("poems")) is None
    elsewhere = build(project, server, endpoint=server.endpoint.replace("127.0.0.1", "localhost"))
    assert len(unprobed_sources(elsewhere, elsewhere.manifests())) == 3
    assert len(unprobed_sources(build(project, server, files_per_table=1), of.manifests())) == 3


def test_a_broken_memory_is_none(project, server):
    of = build(project, server)
    run_probe(of)
    (of.root / "work/probe/laws.json").write_text("{")
    (of.root / "work/probe/poems.json").write_text('{"version": 1, "key": "", "manifest": ""}')
    assert run_probe(of).anew == ["laws", "poems"]


def test_a_source_that_fails_keeps_no_other_from_being_probed_and_is_probed_again(project, server):
    server.gated.add("org/poems")
    of = build(project, server)
    with pytest.raises(ProbeFailedError) as caught:
        run_probe(of)
    error = caught.value
    assert exit_code(error) == 1
    assert "1 of 3 sources failed: poems" in error.what
    assert "the repository is gated" in error.what
    assert "HF_TOKEN" in error.what
    assert verdicts(error.result) == {"poems": "failed", "laws": "ok", "tales": "ok"}
    assert error.result.sources[0]["source"] == "poems", "the worst first"
    server.gated.clear()
    mended = run_probe(of)
    assert (mended.anew, verdicts(mended)["poems"]) == (["poems"], "ok")


@pytest.mark.parametrize(("also_gated", "code"), [(False, 2), (True, 1)])
def test_what_may_pass_by_itself_has_its_own_exit_code(project, server, monkeypatch, also_gated, code):
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    server.failures.append(Failure("/resolve/", 503, times=999))
    if also_gated:
        server.failures.insert(0, Failure("org/poems.*/resolve/", 403, times=999))
    with pytest.raises((ProbeFailedError, ProbeFailedForNowError)) as caught:
        run_probe(build(project, server))
    assert exit_code(caught.value) == code
    transient = {source["source"]: source["transient"] for source in caught.value.result.sources}
    assert transient == {"laws": True, "poems": not also_gated, "tales": True}


def test_a_fault_of_the_program_comes_out_as_itself_after_the_others(project, server, monkeypatch):
    from sources.probing import probe

    def broken(manifest, options, pool, real=probe.probe):
        if manifest.name == "laws":
            raise ZeroDivisionError
        return real(manifest, options, pool)

    monkeypatch.setattr(probe, "probe", broken)
    of = build(project, server)
    with pytest.raises(ZeroDivisionError):
        run_probe(of)
    assert sorted(path.name for path in (of.root / "work/probe").iterdir()) == ["poems.json", "tales.json"]


def test_unknown_names_are_answered_with_the_nearest(project, server):
    with pytest.raises(UnknownNameError, match="unknown source 'poem'") as caught:
        run_probe(build(project, server), ["poem"])
    assert caught.value.remedy == "did you mean poems?"
    assert server.seen == []


def test_a_plan_has_the_bytes_of_a_probe(project, server):
    (project.root / "manifests/rates.yaml").write_text(yaml.safe_dump(RATES))
    for name in ("retrieval", "instruction"):
        project.mix(name)
    of = build(project, server)
    before = make_plan(of)
    assert before["corpus"]["download"] == {"bytes": 0, "of_sources": 0, "probed": 0, "approximate": 0, "unknown": 3}
    run_probe(of, ["laws", "tales"])
    made = make_plan(of)
    download = {"bytes": 2 * len(LINES), "of_sources": 2, "probed": 2, "approximate": 0, "unknown": 1}
    assert made["corpus"]["download"] == made["mixes"]["retrieval"]["download"] == download
    assert [(e["name"], e["download"], e["download_from"]) for e in made["by_source"]] == [
        ("laws", len(LINES), "probe"),
        ("poems", None, None),
        ("tales", len(LINES), "probe"),
    ]
    assert made["not_locked"] == []
    probed = server.commit("org/laws", "main")
    lock = project.root / "sources.lock.json"
    write_lock(lock, {("org/laws", "main"): Locked("0" * 40, {}), ("org/tales", "main"): Locked(
        server.commit("org/tales", "main"), {})})  # fmt: skip
    made = make_plan(of)
    assert made["not_locked"] == [
        {"source": "laws", "revision": "org/laws at main", "probed": probed, "locked": "0" * 40}
    ]
    project.manifest("tales", ["en"], tables=TABLE, shape=SHAPE, clean=["tags"], download=7)
    assert make_plan(of)["corpus"]["download"]["bytes"] == len(LINES) + 7, "another manifest: what it states"


def test_a_digest_is_of_what_changes_what_is_found(project):
    one = registry.load("laws")
    assert manifest_digest(one) == manifest_digest(one.model_copy(update={"samples": 5, "title": "Other"}))
    assert manifest_digest(one) != manifest_digest(one.model_copy(update={"clean": ["tags"]}))
    assert manifest_digest(one) != manifest_digest(one.model_copy(update={"where": {"q": ["a"]}}))


def test_the_command(project, server):
    settings = {"sources": {"collection": "offline", "endpoint": server.endpoint}}
    path = project.root / "params.yaml"
    path.write_text(yaml.safe_dump({"profile": "p", "p": settings}))
    environment = {"CORPUS_MANIFESTS": os.environ["CORPUS_MANIFESTS"], "COLUMNS": "80"}

    def curate(*words):
        return CliRunner().invoke(app, [*words, "--params", str(path)], env=environment)

    assert "probe: 3 of 3 sources" in curate("probe", "--dry-run").stdout
    assert not (project.root / "work/probe").exists()
    said = curate("probe", "--json", "--workers", "2")
    data = json.loads(said.stdout)
    assert data["verdicts"] == {"failed": 0, "warning": 0, "ok": 3}
    assert data["probed"] == ["laws", "poems", "tales"]
    form = FORMS["probe"]
    keys = ["source", *(column.key for column in (*form.words, *form.columns)), "share"]
    for line in data["sources"]:
        assert list(line)[: len(keys)] == keys
    for column in form.columns:
        known = [line[column.key] for line in data["sources"] if line[column.key] is not None]
        assert data["total"][column.key] == (sum(known) if known else None)
    assert {source["rows"] for source in (s["subsets"]["en"] for s in data["sources"])} == {30}
    assert "probe: 0 of 3 sources" in curate("probe", "--dry-run").stdout
    closely = curate("probe", "laws").stdout
    assert "laws/en: 30 records, 30 rows" in closely
    assert "eng-Latn: question 0" in closely
    assert "q: string, d: string" in closely
    assert server.commit("org/laws", "main") in closely
    assert "`--again` probes anew" in closely
    server.add("org/poems", "train.jsonl", b"<!doctype html><html>")
    hub._listings.clear()
    failed = curate("probe", "--again")
    assert isinstance(failed.exception, ProbeFailedError)
    assert "failed poems: train.jsonl: an HTML page" in failed.stdout
    refused = json.loads(curate("probe", "--json").stdout)["refused"]
    assert list(refused) == ["poems"]
    assert "an HTML page" in refused["poems"]
    lines = [line.split() for line in failed.stdout.splitlines()]
    assert lines[2][:3] == ["poems", "failed", "reachable"]
