"""A tiny mix and a profile that trains on it in seconds."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from curation.mixing.schemas import SAMPLE_SCHEMA

WORDS = [a + b for a in ("ka", "lo", "mi", "ne", "pu", "ra", "si", "to") for b in ("bel", "dun", "fir", "gom", "hat")]


def write_mix(root: Path, *, rows: int = 240, seed: int = 0, before: str = "") -> Path:
    """Write a mix whose queries are word for word ciphers of their positives; every 20th row is held out.

    `before` stands before every query.
    """
    rng = random.Random(seed)
    cipher = dict(zip(WORDS, rng.sample([word[::-1].upper() for word in WORDS], len(WORDS)), strict=True))
    documents, samples = [], []
    for i in range(rows):
        words = rng.sample(WORDS, rng.randint(2, 6))
        source = ("alpha", "beta", "gamma")[i % 3]
        documents.append({"text": " ".join(cipher[w] for w in words), "cluster": i, "source": source})
        samples.append({"source": source, "query": before + " ".join(words), "query_cluster": i, "positive_id": i})
    family = {"alpha": "retrieval", "beta": "retrieval", "gamma": "clustering"}
    for i, sample in enumerate(samples):
        source = sample["source"]
        pool = [j for j in range(rows) if documents[j]["source"] == source and j != i]
        sample |= {"row_id": f"{i:032x}", "subset": "all", "family": family[source], "task": "t"}
        sample |= {"language": "eng", "positive_language": "eng", "positive": documents[i]["text"]}
        sample |= {"provenance": [f"{source}/all"], "license": "MIT", "other_queries": [], "other_positive_ids": []}
        sample["negative_ids"] = rng.sample(pool, i % 4)
    (root / "samples").mkdir(parents=True)
    (root / "documents").mkdir()
    held_out = [s for i, s in enumerate(samples) if i % 20 < 3]
    rest = [s for i, s in enumerate(samples) if i % 20 >= 3]
    for split, part in (("train", rest), ("validation", held_out)):
        half = len(part) // 2
        for n, piece in enumerate((part[:half], part[half:])):
            table = pa.Table.from_pylist(piece, SAMPLE_SCHEMA)
            pq.write_table(table, root / "samples" / f"{split}-{n:05d}.parquet")
    for n, first in enumerate(range(0, rows, 100)):
        piece = [d | {"document_id": first + k, "subset": "all"} for k, d in enumerate(documents[first : first + 100])]
        pq.write_table(pa.Table.from_pylist(piece), root / "documents" / f"{n:05d}.parquet")
    return root


def params_for(mix: Path, **changes: object) -> dict[str, object]:
    """Return the `train` section of a model that trains in seconds."""
    stage = {"mix": str(mix), "batch_size": 24, "learning_rate": 0.003, "warmup_steps": 3}
    return {
        "backbone": {
            "kind": "random-qwen3",
            "vocab_size": 400,
            "hidden_size": 32,
            "layers": 3,
            "heads": 2,
            "kv_heads": 1,
            "head_dim": 16,
            "intermediate_size": 48,
        },
        "ranks": [8, 16],
        "max_length": 24,
        "threads": 1,
        "chunk_tokens": 256,
        "checkpoint_every": 4,
        "stages": [
            stage | {"name": "retrieval", "steps": 60, "negatives": {"retrieval": 2}},
            stage | {"name": "instruction", "steps": 5},
        ],
        "evaluation": {"mix": str(mix), "queries": 20, "distractors": 10},
        **changes,
    }


def write_params(path: Path, section: object) -> Path:
    path.write_text(yaml.safe_dump({"profile": "tiny", "tiny": {"train": section}}))
    return path
