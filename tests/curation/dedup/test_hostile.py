"""What is made to hurt goes through the step, shards and all: nothing may grow with the square of a group."""

import random

import pyarrow as pa
import pytest

from curation.dedup.exact import NEIGHBORS
from curation.pipeline.run import run_step

SAME, TEMPLATES, WORDS = 4000, 700, 600_000


def drawn(rng: random.Random, words: int) -> str:
    return " ".join(f"w{rng.randrange(5000)}" for _ in range(words))


@pytest.fixture
def hostile(workshop):
    """Identical rows, rows of one template that share bands and are no duplicates, a row of megabytes with a copy."""
    rng = random.Random(5)
    form, long = drawn(rng, 90), drawn(rng, WORDS)
    same = [{"query": "the same question of everybody", "positive": "and the same answer to it " * 3}] * SAME
    filled = [{"query": f"number {i}", "positive": f"{form} {drawn(rng, 13)}"} for i in range(TEMPLATES)]
    huge = [{"query": "a long one", "positive": f"{long}{end}"} for end in ("", " and a last word")]
    bare = [{"query": "?!", "positive": text} for text in ("…", "…", "🙂")]
    workshop.manifest("a", ["x"], priority=1)
    workshop.manifest("b", ["x"], priority=2)
    rows = [*huge, *same, *filled, *bare]
    for i, row in enumerate(rows):
        rows[i] = row | {"row_id": i.to_bytes(16, "big")}  # the order of ranks
    build = workshop.build()
    workshop.rows(build, {("a", "x"): rows[:3000], ("b", "x"): rows[3000:]}, shard_rows=900)
    return build, rows


def table(build, result, name) -> pa.Table:
    return pa.concat_tables([build.store.read_table(f"{name}/{s.path}.{name}.arrow") for s in result.shards])


def test_every_hostile_row_is_where_it_belongs(hostile):
    build, rows = hostile
    assert len(rows[0]["positive"]) > 3_000_000
    result = run_step(build, "dedup")
    clusters, merged = (
        table(build, result, "clusters").to_pydict(),
        table(build, result, "merges")["merged"].to_pylist(),
    )
    assert clusters["reason"][:2] == [None, "near-duplicate"]
    assert clusters["reason"][2 : 2 + SAME] == [None] + ["exact-duplicate"] * (SAME - 1)
    assert clusters["keep"][2 + SAME : -3] == [True] * TEMPLATES
    assert clusters["reason"][-3:] == [None, "exact-duplicate", None]
    assert [(m["row_id"], m["positive"]) for m in merged[0]] == [(rows[1]["row_id"], rows[1]["positive"])]
    assert [m["row_id"] for m in merged[2]] == [row["row_id"] for row in rows[3 : 2 + SAME]]
    assert {(m["positive"], *m["negatives"]) for m in merged[2]} == {(None,)}
    assert sum(map(len, merged)) == result.stats["merges"]["merged"] == SAME + 1
    assert result.stats["merges"]["across_sources"] == 2 + SAME - 3000


def test_a_band_that_hundreds_of_rows_share_costs_few_pairs_a_row(hostile):
    build, _ = hostile
    stats = run_step(build, "dedup").stats
    document = stats["document"]
    bands = build.profile.dedup.bands
    assert TEMPLATES < document["candidate_pairs"] <= bands * (NEIGHBORS + 1) * (TEMPLATES + 2)
    assert document["candidate_pairs"] < TEMPLATES * (TEMPLATES - 1) / 2 / 3
    assert stats["sample"]["exact_duplicates"] == SAME
    assert stats["sample"]["compared"] <= 4
