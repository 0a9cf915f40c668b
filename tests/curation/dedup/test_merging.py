"""Nothing that a source said is lost with a duplicate: the kept row, and its sample, carry it."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.mixing.licenses import strictest
from curation.pipeline.freshness import load
from curation.pipeline.run import run_step
from curation.pipeline.show import show_rows
from sources.manifest import License

FREE = {"id": "CC0-1.0", "commercial": True, "redistribution": True}
SHARE = {"id": "CC-BY-SA-4.0", "commercial": True, "redistribution": True}
CLOSED = {"id": "CC-BY-NC-4.0", "commercial": False, "redistribution": True}


def text(rng: random.Random, length: int) -> str:
    return " ".join(f"w{rng.randrange(4000)}" for _ in range(length))


@pytest.fixture
def sources(workshop):
    """Three sources: b repeats a's first rows, exactly and nearly, and c its very first; each has rows of its own."""
    rng = random.Random(2)
    workshop.manifest("a", ["x"], priority=1, license=FREE)
    workshop.manifest("b", ["x", "y"], priority=2, license=SHARE)
    workshop.manifest("c", ["x"], priority=3, license=CLOSED)
    workshop.mix("all")
    first = [{"query": text(rng, 6), "positive": text(rng, 40)} for _ in range(30)]
    own = [{"query": text(rng, 6), "positive": text(rng, 40)} for _ in range(20)]
    said = text(rng, 9)
    return {
        ("a", "x"): first,
        ("b", "x"): [first[0] | {"negatives": [said]}, *own],
        ("b", "y"): [first[1] | {"positive": first[1]["positive"] + " end"}],
        ("c", "x"): [dict(first[0]), {"query": text(rng, 6), "positive": text(rng, 40)}],
    }, said


def merged(build, source: str) -> list[list[dict]]:
    shards = [s for s in load(build, "dedup").shards if s.source == source]
    tables = [build.store.read_table(f"merges/{s.path}.merges.arrow") for s in shards]
    return pa.concat_tables(tables)["merged"].to_pylist()


@pytest.mark.parametrize("shard_rows", [1000, 7])
def test_a_kept_row_carries_its_duplicates(workshop, sources, shard_rows):
    pools, said = sources
    build = workshop.build()
    workshop.rows(build, pools, shard_rows)
    stats = run_step(build, "dedup").stats["merges"]
    assert stats == {"merged": 3, "across_sources": 3}
    first, second, *rest = merged(build, "a")
    assert [(m["source"], m["subset"], m["reason"]) for m in first] == [
        ("b", "x", "exact-duplicate"),
        ("c", "x", "exact-duplicate"),
    ]
    assert [[given["text"] for given in m["negatives"]] for m in first] == [[said], []]
    assert [m["positive"] for m in first] == [None, None]
    assert [(m["subset"], m["positive"]) for m in second] == [("y", pools["b", "y"][0]["positive"])]
    assert rest == [[]] * 28
    assert not any(merged(build, "b") + merged(build, "c"))


def test_a_sample_has_every_provenance_positive_negative_and_the_strictest_license(workshop, sources):
    pools, said = sources
    build = workshop.build(mixes={"all": {"validation": 0.0}})
    workshop.rows(build, pools)
    run_step(build, "dedup")
    run_step(build, "mine")
    run_step(build, "mix-all")
    folder = build.out / "mixes" / "all"
    rows = {row["query"]: row for f in folder.glob("samples/*.parquet") for row in pq.read_table(f).to_pylist()}
    texts = {row["document_id"]: row for f in folder.glob("documents/*") for row in pq.read_table(f).to_pylist()}
    first, second, third = (rows[pools["a", "x"][i]["query"]] for i in range(3))
    assert [first["provenance"], second["provenance"], third["provenance"]] == [
        ["a/x", "b/x", "c/x"],
        ["a/x", "b/y"],
        ["a/x"],
    ]
    assert [first["license"], second["license"], third["license"]] == ["CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC0-1.0"]
    assert texts[first["negative_ids"][0]]["text"] == said
    (other,) = second["other_positive_ids"]
    assert texts[other]["text"] == pools["b", "y"][0]["positive"]
    assert texts[other]["cluster"] == texts[second["positive_id"]]["cluster"]
    assert first["other_positive_ids"] == third["other_positive_ids"] == []
    assert other not in second["negative_ids"]


@pytest.fixture
def classes(workshop):
    """Two clustering sources of the same texts and labels: the positive is any member of the class."""
    rng = random.Random(4)
    for name, priority in (("a", 1), ("b", 2)):
        workshop.manifest(name, ["x"], priority=priority, family="clustering")
    workshop.mix("all")
    texts = [(text(rng, 12), f"class {i % 2}") for i in range(20)]
    members = {label: [text(rng, 30) for _ in range(3)] for label in ("class 0", "class 1")}
    of = {
        name: [{"query": t, "label": label, "positive": members[label][at]} for t, label in texts]
        for at, name in enumerate("ab")
    }
    of["b"][1] |= {"positive": of["a"][1]["positive"].upper() + " "}
    of["b"].append(of["b"][0] | {"positive": members["class 0"][2]})
    return {(name, "x"): rows for name, rows in of.items()}


def test_an_exact_duplicate_of_text_and_label_keeps_its_other_positive(workshop, classes):
    build = workshop.build(mixes={"all": {"validation": 0.0}})
    workshop.rows(build, classes, 7)
    assert run_step(build, "dedup").stats["merges"] == {"merged": 21, "across_sources": 21}
    ours, theirs = classes["a", "x"], classes["b", "x"]
    first, second, third, *_ = merged(build, "a")
    assert {m["reason"] for m in first + second + third} == {"exact-duplicate"}
    assert {m["positive"] for m in first} == {theirs[0]["positive"], theirs[20]["positive"]}
    assert [m["positive"] for m in second] == [None]  # the same but for case and white space
    assert [m["positive"] for m in third] == [theirs[2]["positive"]]
    run_step(build, "mine")
    run_step(build, "mix-all")
    folder = build.out / "mixes" / "all"
    rows = {row["query"]: row for f in folder.glob("samples/*.parquet") for row in pq.read_table(f).to_pylist()}
    texts = {
        row["document_id"]: row["text"] for f in folder.glob("documents/*") for row in pq.read_table(f).to_pylist()
    }
    others = [{texts[i] for i in rows[ours[row]["query"]]["other_positive_ids"]} for row in range(3)]
    assert others == [{theirs[0]["positive"], theirs[20]["positive"]}, set(), {theirs[2]["positive"]}]


def test_a_positive_that_a_near_duplicate_of_the_list_has_is_carried_once(workshop, sources):
    pools, _ = sources
    row = pools["a", "x"][1]
    copies = [row | {"positive": row["positive"] + " end"}, row | {"positive": row["positive"] + "  END"}]
    build = workshop.build()
    workshop.rows(build, pools | {("b", "y"): copies})
    run_step(build, "dedup")
    _, second, *_ = merged(build, "a")
    assert [m["reason"] for m in second if m["positive"] is None] == ["exact-duplicate"]
    assert [m["reason"] for m in second if m["positive"] is not None] == ["near-duplicate"]


def test_a_row_whose_only_negatives_are_its_duplicates_stays(workshop, sources):
    pools, _ = sources
    pools = {("a", "x"): pools["a", "x"][:1], ("b", "x"): pools["b", "x"][:1]}
    build = workshop.build(mixes={"all": {"validation": 0.0}})
    workshop.rows(build, pools)
    run_step(build, "dedup")
    run_step(build, "mine")
    assert run_step(build, "mix-all").stats["sources"]["a"]["train"] == 1


def test_show_names_what_a_row_stands_for(workshop, sources, capsys):
    pools, _ = sources
    build = workshop.build()
    workshop.rows(build, pools)
    run_step(build, "dedup")
    show_rows(build, "a", None, 2, None)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("stands for") == 3
    assert "c / x" in shown


def test_removing_a_source_leaves_the_signatures_of_the_others(workshop, sources):
    pools, _ = sources
    build = workshop.build()
    workshop.rows(build, pools)
    run_step(build, "dedup")
    folder = build.root / "work" / "test" / "signatures"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("[ac]/**/*.arrow")}
    workshop.rows(build, {key: rows for key, rows in pools.items() if key[0] != "b"})
    run_step(build, "dedup")
    assert {path: path.stat().st_mtime_ns for path in folder.glob("[ac]/**/*.arrow")} == before
    assert [len(m) for m in merged(build, "a")] == [1] + [0] * 29


@pytest.mark.parametrize(
    ("weaker", "stricter"),
    [
        (("CC0-1.0", True, True), ("MIT", True, True)),
        (("CC-BY-4.0", True, True), ("CC-BY-SA-3.0", True, True)),
        (("CC-BY-4.0", True, True), ("LicenseRef-unknown", True, True)),
        (("GPL-3.0-only", True, True), ("CC-BY-NC-4.0", False, True)),
        (("CC-BY-NC-SA-4.0", False, True), ("LicenseRef-private", False, False)),
    ],
)
def test_licenses_by_what_they_ask(weaker, stricter):
    both = [License(id=i, commercial=c, redistribution=r) for i, c, r in (weaker, stricter)]
    assert strictest(both) == strictest(both[::-1]) == both[1]
