"""The step: planted leaks are reported exactly, and kept out of every mix."""

import json
from collections import Counter
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import yaml

from curation.build import Build
from curation.pipeline.freshness import inputs_of, load
from curation.pipeline.overrides import with_folders
from curation.pipeline.run import run_step
from curation.pipeline.show import show_rows
from curation.report.data import collect
from curation.tables.contamination import contaminated_clusters
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import StageError
from tests.support.leaks import LEAKS, NOISE, QUESTION, SENTENCE, folder
from tests.support.workshop import MANIFEST, written_report


@pytest.fixture
def leaky(workshop):
    """A source with every kind of leak, a clean one, and an evaluation set; `normalize` has run."""
    workshop.manifest("leaky", ["x"])
    workshop.manifest("clean", ["x"])
    workshop.mix("all")
    folder(workshop.root)

    def build(shard_rows=1000, workers=1, sets=("./heldout",), rows=None, **settings):
        made = workshop.build(decontaminate={"sets": list(sets)} | settings, mixes={"all": {"validation": 0.0}})
        made = Build(made.name, made.profile, made.root, Workers("local", workers))
        workshop.rows(made, {("leaky", "x"): rows or LEAKS, ("clean", "x"): NOISE}, shard_rows=shard_rows)
        return made

    return build


def columns(build, result, source="leaky"):
    paths = [s.path for s in result.shards if s.source == source]
    return [r for p in paths for r in build.store.read_table(f"contamination/{p}.contamination.arrow").to_pylist()]


def test_planted_leaks_are_reported_exactly(leaky):
    build = leaky()
    result = run_step(build, "decontaminate")
    told = [
        {side: (r[f"{side}_overlap"], r[f"{side}_text"]) for side in ("query", "document") if r[f"{side}_overlap"]}
        for r in columns(build, result)
    ]
    assert told == [
        {"query": ("exact", "heldout/default/query/q0")},
        {"query": ("exact", "heldout/default/query/q0")},
        {"document": ("contained", "heldout/default/document/c0")},
        {"document": ("near", "heldout/default/document/c1")},
        {},  # a translation is not found
        {},
    ]
    assert [r["contaminated"] for r in columns(build, result)] == [True] * 4 + [False] * 2
    assert all(r["query_tasks"] == ["heldout"] * bool(r["query_overlap"]) for r in columns(build, result))
    assert result.stats["sources"] == {
        "clean": {"rows": 8, "contaminated": 0, "tasks": {}},
        "leaky": {
            "rows": 6,
            "contaminated": 4,
            "tasks": {
                "heldout": {
                    "found": 3,
                    "rows": {
                        "query": {"exact": 2, "near": 0, "contained": 0},
                        "document": {"exact": 0, "near": 1, "contained": 1},
                    },
                }
            },
        },
    }
    task = result.stats["tasks"]["heldout"]
    assert (task["texts"], task["too_short"], task["found"]) == (3, 0, 3)
    reasons = Counter((e["side"], e["reason"], e["source"]) for e in task["examples"])
    assert reasons == {
        ("query", "exact", "leaky"): 2,
        ("document", "contained", "leaky"): 1,
        ("document", "near", "leaky"): 1,
    }
    assert result.stats["distrust"] == [
        {"source": "leaky", "task": None, "share": round(4 / 6, 4), "found": 4, "of": 6},
    ]


def test_a_source_is_distrusted_for_a_share_of_the_task(leaky):
    folder_settings = {"distrust": {"found": 0.5, "at_least": 3, "contaminated": 0.9}}
    result = run_step(leaky(**folder_settings), "decontaminate")
    assert result.stats["distrust"] == [
        {"source": "leaky", "task": "heldout", "share": 1.0, "found": 3, "of": 3},
    ]


def test_contaminated_rows_are_in_no_mix_and_have_a_reason(leaky, capsys):
    near = {"query": "what is in the log", "positive": f"It was a hard winter. {SENTENCE} of that winter. They slept."}
    build = leaky(rows=[*LEAKS, near])
    run_step(build, "dedup")
    run_step(build, "decontaminate")
    run_step(build, "mine")
    made = run_step(build, "mix-all")
    funnel = made.stats["sources"]["leaky"]
    assert (funnel["contaminated"], funnel["near-duplicate"]) == (4, 1)
    assert made.stats["sources"]["clean"]["contaminated"] == 0
    queries = [
        q
        for p in (build.out / "mixes" / "all" / "samples").glob("*.parquet")
        for q in pq.read_table(p)["query"].to_pylist()
    ]
    assert QUESTION not in queries
    assert "what is in the log" not in queries
    show_rows(build, "leaky", None, 1, None)
    said = " ".join(capsys.readouterr().out.split())
    assert "query exact (1.00) with heldout/default/query/q0 of heldout; contaminated" in said.replace(" │ │ │ ", " ")


def test_a_kept_row_falls_with_the_contaminated_row_it_stands_for(leaky):
    """It carries that row's positives."""
    words = " ".join(f"word{i}" for i in range(60))
    pair = [{"query": "one and the same", "positive": f"{words} {tail}"} for tail in ("first end", "second end")]
    build = leaky(rows=[*pair, *LEAKS[4:]], sets=["./one"])
    folder(build.root, "one", queries=["no query of ours"], documents=["word58 word59 second end"])
    run_step(build, "dedup")
    run_step(build, "decontaminate")
    flags = [r["contaminated"] for r in columns(build, load(build, "decontaminate"))]
    assert sum(flags) == 0  # four words inside of a page are too few
    (build.root / "one" / "corpus.jsonl").write_text(
        json.dumps({"_id": "c0", "text": " ".join(f"word{i}" for i in range(52, 60)) + " second end"}) + "\n"
    )
    run_step(build, "decontaminate")
    assert [r["contaminated"] for r in columns(build, load(build, "decontaminate"))] == [False, True, False, False]
    clusters = build.store.read_table("clusters/leaky/x/00000.00000.clusters.arrow")["sample_cluster"].to_pylist()
    assert clusters[0] == clusters[1]
    assert contaminated_clusters(build.store, load(build, "decontaminate")).tolist() == [clusters[1]]


def test_only_the_sides_that_are_asked_for_cost_a_row(leaky):
    build = leaky(drop=["query"])
    result = run_step(build, "decontaminate")
    assert [r["contaminated"] for r in columns(build, result)] == [True, True, False, False, False, False]
    assert sum(bool(r["document_overlap"]) for r in columns(build, result)) == 2


def test_the_same_bytes_whatever_workers_and_shards(leaky):
    build = leaky()
    whole = run_step(build, "decontaminate")
    rows = columns(build, whole)
    small = leaky(shard_rows=2, workers=2)
    cut = run_step(small, "decontaminate")
    assert columns(small, cut) == rows
    assert {**cut.stats} == {**whole.stats}
    one = {s.path: s.xxh3 for s in cut.shards}
    again = leaky(shard_rows=2)
    for path in (again.root / "work" / "test" / "contamination").rglob("*"):
        if path.is_file():
            path.unlink()
    assert {s.path: s.xxh3 for s in run_step(again, "decontaminate").shards} == one


def test_without_evaluation_sets_nothing_is_to_be_done(leaky):
    build = leaky(sets=[])
    run_step(build, "dedup")
    run_step(build, "mine")
    assert run_step(build, "mix-all").stats["sources"]["leaky"]["contaminated"] == 0
    result = run_step(build, "decontaminate")
    assert (result.shards, result.stats["tasks"]) == ([], {})
    run_step(build, "mix-all")
    assert "names no evaluation sets" in written_report(build)


def test_a_mix_wants_the_step_of_its_rows(leaky):
    unaware = leaky(sets=[])
    run_step(unaware, "dedup")
    run_step(unaware, "mine")
    build = leaky()
    with pytest.raises(StageError, match="step decontaminate has not been run"):
        run_step(build, "mix-all")
    run_step(build, "decontaminate")
    with pytest.raises(StageError, match="mine is stale: it was made before step decontaminate was run") as caught:
        run_step(build, "mix-all")
    assert "curate mine" in caught.value.remedy
    run_step(build, "mine")
    run_step(build, "mix-all")
    build = leaky(rows=LEAKS[:3])
    run_step(build, "dedup")
    for step in ("mine", "mix-all"):
        with pytest.raises(StageError, match="decontaminate is stale: it was made from other rows") as caught:
            run_step(build, step)
        assert "curate decontaminate" in caught.value.remedy


def test_more_folders_can_be_named_on_the_command(leaky):
    build = leaky(sets=[])
    result = run_step(with_folders(build, [build.root / "heldout"]), "decontaminate")
    assert result.stats["sources"]["leaky"]["contaminated"] == 4
    with pytest.raises(StageError, match=r"1 of 1 evaluation sets could not be had: nowhere\n.*no such folder"):
        run_step(with_folders(build, [build.root / "nowhere"]), "decontaminate")
    with pytest.raises(StageError, match="step decontaminate does not count as done: nowhere failed in it"):
        load(build, "decontaminate")


def described(root, name, **changes):
    """Write an evaluation set that is described as a source is."""
    data = MANIFEST | {"name": name, "subsets": {"x": {"query_lang": "eng-Latn"}}} | changes
    path = root / "manifests" / "evaluations" / "sets" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data))


def test_a_set_may_be_described_as_a_source_is(leaky, tmp_path, monkeypatch, capsys):
    shape = {"kind": "pair", "args": {"query": "q", "positive": "d"}}
    tables = {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}}
    origin = {"kind": "manual", "url": "nowhere", "folder": "ours"}
    described(tmp_path, "ours", origin=origin, tables=tables, shape=shape)
    described(tmp_path, "packaged", origin={"kind": "apt", "packages": ["nothing"]}, tables=tables, shape=shape)
    (tmp_path / "ours").mkdir()
    lines = [{"q": QUESTION, "d": SENTENCE}, {"q": "", "d": "without a question"}]
    (tmp_path / "ours" / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing-here"))
    build = leaky(sets=["ours", "packaged"])
    chosen = build.profile.sources.model_copy(update={"local_root": str(tmp_path)})
    build = replace(build, profile=build.profile.model_copy(update={"sources": chosen}))
    result = run_step(build, "decontaminate")
    assert list(result.stats["tasks"]) == ["ours"]
    assert [bool(r["query_overlap"]) for r in columns(build, result)] == [True, True, False, False, False, False]
    assert columns(build, result)[0]["query_text"].startswith("ours/x/query/")
    assert result.skipped == {"packaged": "apt-get is not installed"}
    assert "skipped packaged" in capsys.readouterr().err
    skipped = [r for r in collect(build, inputs_of(build, "report"))["evaluation_sets"].rows if r["skipped"]]
    assert [(row["task"], row["skipped"]) for row in skipped] == [("packaged", "apt-get is not installed")]
    assert "apt-get is not installed" in written_report(build)


def test_sets_that_cannot_be_had_are_named_together(leaky, capsys):
    with pytest.raises(StageError, match="2 of 3 evaluation sets could not be had: a, b"):
        run_step(leaky(sets=["./a", "./heldout", "./b"]), "decontaminate")
    assert capsys.readouterr().err.count("no such folder") == 2


def test_a_text_of_many_tasks_is_counted_for_each(leaky):
    build = leaky(sets=["./a", "./b"])
    folder(build.root, "a")
    folder(build.root, "b", queries=[QUESTION.upper() + "?", "something else entirely"])
    result = run_step(build, "decontaminate")
    first = columns(build, result)[0]
    assert (first["query_tasks"], first["query_text"]) == (["a", "b"], "a/default/query/q0")
    found = {name: entry["found"] for name, entry in result.stats["tasks"].items()}
    assert found == {"a": 3, "b": 3}
    assert {e["evaluation_id"].split("/")[0] for e in result.stats["tasks"]["b"]["examples"]} == {"b"}


def test_the_report_shows_tasks_examples_and_sources_to_distrust(leaky):
    build = leaky()
    run_step(build, "decontaminate")
    html = written_report(build)
    assert "Sources to distrust" in html
    distrusted = collect(build, inputs_of(build, "report"))["distrusted"].rows
    assert [(row["found"], row["of"]) for row in distrusted if row["task"] is None] == [(4, 6)]
    assert "heldout/default/document/c1" in html
