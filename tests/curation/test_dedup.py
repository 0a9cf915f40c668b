"""The step against brute force: who stays, why, and what cluster numbers depend on."""

import random

import pyarrow as pa
import pytest

from curation.dedup.step import run_dedup


def words(text: str, k: int = 5) -> set[tuple[str, ...]]:
    parts = text.split()
    return {tuple(parts[i : i + k]) for i in range(len(parts) - k + 1)}


def true_jaccard(a: str, b: str) -> float:
    x, y = words(a), words(b)
    return len(x & y) / len(x | y) if x | y else 1.0


def near(rng: random.Random, text: str, changed: int) -> str:
    parts = text.split()
    for i in rng.sample(range(len(parts)), changed):
        parts[i] = f"other{rng.randrange(10**6)}"
    return " ".join(parts)


def make_text(rng: random.Random, length: int) -> str:
    return " ".join(f"word{rng.randrange(5000)}" for _ in range(length))


def planted(rng: random.Random) -> dict:
    """Two sources; b repeats some of a verbatim, some nearly, and has texts of its own."""
    a = [{"query": make_text(rng, 8), "positive": make_text(rng, 60)} for _ in range(120)]
    verbatim = [dict(row) for row in a[:20]]
    nearly = [{"query": r["query"], "positive": near(rng, r["positive"], 1)} for r in a[20:40]]
    own = [{"query": make_text(rng, 8), "positive": make_text(rng, 60)} for _ in range(50)]
    return {("a", "x"): a, ("b", "x"): verbatim + nearly + own}


@pytest.mark.parametrize("shard_rows", [1000, 17])
def test_planted_duplicates_are_found_and_nothing_else(workshop, shard_rows):
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    pools = planted(random.Random(3))
    build = workshop.build()
    workshop.rows(build, pools, shard_rows)
    result = run_dedup(build)
    tables = [build.store.read_table(f"clusters/{s.path}.clusters.arrow") for s in result.shards]
    table = pa.concat_tables(tables).to_pydict()
    texts = [r["query"] + " " + r["positive"] for key in sorted(pools) for r in pools[key]]
    oracle = [any(true_jaccard(texts[i], texts[j]) >= 0.8 for j in range(i)) for i in range(len(texts))]
    assert [not keep for keep in table["keep"]] == oracle
    assert table["reason"][:120] == [None] * 120
    assert table["reason"][120:140] == ["exact-duplicate"] * 20
    assert table["reason"][140:160] == ["near-duplicate"] * 20
    assert table["document_cluster"][120:160] == table["document_cluster"][:40]
    assert len(set(table["document_cluster"])) == 120 + 50


def test_clusters_do_not_depend_on_the_shard_size(workshop):
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    pools = planted(random.Random(6))
    found = []
    for shard_rows in (1000, 31):
        build = workshop.build()
        workshop.rows(build, pools, shard_rows)
        shards = run_dedup(build).shards
        tables = [build.store.read_table(f"clusters/{s.path}.clusters.arrow") for s in shards]
        merges = [build.store.read_table(f"merges/{s.path}.merges.arrow") for s in shards]
        found.append((pa.concat_tables(tables).combine_chunks(), pa.concat_tables(merges).combine_chunks()))
    assert found[0] == found[1]


def test_the_lower_priority_number_keeps_the_row(workshop):
    workshop.manifest("a", ["x"], priority=9)
    workshop.manifest("b", ["x"], priority=1)
    row = {"query": "the one query that there is", "positive": "and its one document"}
    build = workshop.build()
    workshop.rows(build, {("a", "x"): [dict(row)], ("b", "x"): [dict(row)]})
    result = run_dedup(build)
    kept = [build.store.read_table(f"clusters/{s.path}.clusters.arrow")["keep"].to_pylist() for s in result.shards]
    assert kept == [[False], [True]]


def test_families_do_not_meet(workshop):
    workshop.manifest("a", ["x"])
    workshop.manifest("b", ["x"], family="clustering")
    row = {"query": "the one text that there is", "positive": "and its one document", "label": "and its one document"}
    build = workshop.build()
    workshop.rows(build, {("a", "x"): [dict(row)], ("b", "x"): [dict(row)]})
    assert run_dedup(build).stats["sample"]["clusters"] == 2


def test_cluster_numbers_survive_a_new_source(workshop):
    for name in "ab":
        workshop.manifest(name, ["x"])
    pools = planted(random.Random(4))
    numbers = []
    for keys in ([("b", "x")], [("a", "x"), ("b", "x")]):
        build = workshop.build()
        workshop.rows(build, {key: pools[key] for key in keys})
        shard = run_dedup(build).shards[-1]
        numbers.append(build.store.read_table(f"clusters/{shard.path}.clusters.arrow")["sample_cluster"].to_pylist())
    assert numbers[0][40:] == numbers[1][40:]
