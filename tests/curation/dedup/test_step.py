"""The step against brute force: who stays, why, and what cluster numbers depend on."""

import random
import shutil

import pyarrow as pa
import pytest

from curation.pipeline.run import run_step
from open_ml_embed.core.store import Store


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
    result = run_step(build, "dedup")
    tables = [build.store.read_table(f"clusters/{s.path}.clusters.arrow") for s in result.shards]
    table = pa.concat_tables(tables).to_pydict()
    rows = [row for key in sorted(pools) for row in pools[key]]
    sides = ("query", "positive")
    oracle = [
        any(all(true_jaccard(rows[i][side], rows[j][side]) >= 0.8 for side in sides) for j in range(i))
        for i in range(len(rows))
    ]
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
        shards = run_step(build, "dedup").shards
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
    result = run_step(build, "dedup")
    kept = [build.store.read_table(f"clusters/{s.path}.clusters.arrow")["keep"].to_pylist() for s in result.shards]
    assert kept == [[False], [True]]


def test_families_do_not_meet(workshop):
    workshop.manifest("a", ["x"])
    workshop.manifest("b", ["x"], family="clustering")
    row = {"query": "the one text that there is", "positive": "and its one document", "label": "and its one document"}
    build = workshop.build()
    workshop.rows(build, {("a", "x"): [dict(row)], ("b", "x"): [dict(row)]})
    assert run_step(build, "dedup").stats["sample"]["clusters"] == 2


def test_cluster_numbers_survive_a_new_source(workshop):
    for name in "ab":
        workshop.manifest(name, ["x"])
    pools = planted(random.Random(4))
    numbers = []
    for keys in ([("b", "x")], [("a", "x"), ("b", "x")]):
        build = workshop.build()
        workshop.rows(build, {key: pools[key] for key in keys})
        shard = run_step(build, "dedup").shards[-1]
        numbers.append(build.store.read_table(f"clusters/{shard.path}.clusters.arrow")["sample_cluster"].to_pylist())
    assert numbers[0][40:] == numbers[1][40:]


def written(build) -> dict[str, bytes]:
    folder = build.root / "work" / "test"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in ("clusters", "merges")
        for path in sorted((folder / name).rglob("*.arrow"))
    }


def test_the_same_bytes_however_many_bands_a_task_takes(workshop, monkeypatch):
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    build = workshop.build()
    rows = sum(s.rows for s in workshop.rows(build, planted(random.Random(8)), 31).shards)
    folder, found = build.root / "work" / "test", []
    for bands, tasks in ((21, 1), (5, 5), (1, 21)):
        monkeypatch.setattr("curation.dedup.step.candidates.COLUMN_BYTES", 4 * rows * bands)
        for name in ("signatures", "dedup", "clusters", "merges"):
            shutil.rmtree(folder / name, ignore_errors=True)
        stats = run_step(build, "dedup").stats
        for field in ("query", "document"):
            assert len(list((folder / "dedup" / "candidates" / field).glob("*.candidates.arrow"))) == tasks
        found.append((written(build), stats))
    assert found[0] == found[1] == found[2]
    assert found[0][1]["merges"]["merged"] == 40
    assert len(found[0][0]) == 2 * (4 + 3)


@pytest.mark.parametrize(("gathered", "read"), [(1, ["0", "1", "0"]), (1 << 40, ["0", "1"])])
def test_the_same_merges_however_many_shards_are_gathered_at_once(workshop, monkeypatch, gathered, read):
    """Of b's two shards, the first has duplicates of both of a's, the second of the first: three pairs of shards."""
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    rows = planted(random.Random(9))["a", "x"][:40]
    build = workshop.build()
    workshop.rows(build, {("a", "x"): rows, ("b", "x"): rows[::-1]}, 31)
    run_step(build, "dedup")
    before, paths, real = written(build), [], Store.read_rows
    monkeypatch.setattr(Store, "read_rows", lambda self, path, *rest: paths.append(path) or real(self, path, *rest))
    monkeypatch.setattr("curation.dedup.step.merge.GATHERED_BYTES", gathered)
    shutil.rmtree(build.root / "work" / "test" / "merges")
    run_step(build, "dedup")
    assert written(build) == before
    read_of_rows = [path for path in paths if path.startswith("rows/")]
    assert read_of_rows == [f"rows/b/x/00000.0000{number}.rows.arrow" for number in read]


def test_a_shard_with_much_to_merge_has_several_batches_of_the_same_rows(workshop, monkeypatch):
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    build = workshop.build()
    workshop.rows(build, planted(random.Random(9)))
    found = []
    for most in (1 << 30, 900, 1):
        monkeypatch.setattr("curation.dedup.step.merge.BATCH_BYTES", most)
        shutil.rmtree(build.root / "work" / "test" / "merges", ignore_errors=True)
        path = run_step(build, "dedup").shards[0].path
        found.append(build.store.read_table(f"merges/{path}.merges.arrow"))
    whole, parted, single = found
    assert [table["merged"].num_chunks for table in (whole, single)] == [1, 40 + 1]
    assert 1 < parted["merged"].num_chunks < 40
    assert whole["merged"].to_pylist() == parted["merged"].to_pylist() == single["merged"].to_pylist()
