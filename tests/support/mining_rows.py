"""Rows made up for step `mine`, and the step run on them."""

import random

import numpy as np

from curation.build import Build
from curation.mining.negatives import ORIGINS
from curation.pipeline.run import run_step
from curation.tables.pools import documents_of

WORDS = [f"w{i}" for i in range(300)]
PLAIN = {"range_min": 0, "max_score": None, "range_max": 20, "num_negatives": 8, "shortage": "keep"}


def make_text(rng: random.Random, length: int) -> str:
    return " ".join(f"w{int(300 * rng.random() ** 2)}" for _ in range(length))


def make_rows(count: int, seed: int = 0, **more: object) -> list[dict]:
    rng = random.Random(seed)
    return [{"query": make_text(rng, 4), "positive": make_text(rng, 20)} | more for _ in range(count)]


def mine(workshop, rows, shard_rows=1000, **mining) -> tuple[Build, dict]:
    """Mine with `PLAIN` rules but for what is said; return the build, and each pool's rows with texts for numbers."""
    build = workshop.build(mining=PLAIN | mining)
    workshop.rows(build, rows, shard_rows)
    run_step(build, "dedup")
    result = run_step(build, "mine")
    found: dict = {}
    for shard in result.shards:
        documents = documents_of(build, shard.source, shard.subset)
        for row in build.store.read_table(f"negatives/{shard.path}.negatives.arrow").to_pylist():
            texts = documents.texts(np.array(row["negatives"], np.int32)).to_pylist()
            origins = [ORIGINS[origin] for origin in row["origins"]]
            found.setdefault((shard.source, shard.subset), []).append(row | {"texts": texts, "origins": origins})
    return build, found


def texts_of(found, key=("a", "x")) -> list[list[str]]:
    return [row["texts"] for row in found[key]]
