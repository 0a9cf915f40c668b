"""How long training waits for its data on a cold store: batches made when they are needed, and made ahead.

    .venv/bin/python -m benchmarks.feeding

Writes a store of two million documents of 200 tokens (1.7 GB, deleted afterwards), drops it from the page cache before
each run (`posix_fadvise`), and trains a small model on it, on one thread, with forward and backward pass of every step.
The wait is what `log.jsonl` calls `data_wait_seconds`. Also: the time of a batch of 512 queries on a cold store, with
pages read one by one as they are touched, and read together before.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, Qwen3Config

from benchmarks.train_scale import MILLION, drop_from_cache, write
from train.config import Objective
from train.data.batch import Batch, make_batch
from train.data.feed import Feed
from train.data.mapped_pages import MappedPages
from train.data.plan import Plan
from train.data.token_store import Store, map_store
from train.distributed.parallel import Group, spread
from train.loop.step import backward
from train.model.embedder import Embedder
from train.model.embedding import nest
from train.model.presets import PRESETS, Form

VOCABULARY, QUERIES, NEGATIVES, LARGE = 4096, 48, 7, 512
MOST_SHARE = 0.02


def cold(folder: Path, queries: int) -> tuple[Store, Plan]:
    """Open the store after its files were dropped from the page cache."""
    drop_from_cache(folder)
    store = map_store(folder)
    return store, Plan([store.train.dataset.of(code) for code in range(len(store.datasets))], queries, 0, 0)


def batch_of(store: Store, plan: Plan, step: int) -> Batch:
    """Return the batch of a step."""
    return make_batch(store, plan, step, wanted={"retrieval": NEGATIVES}, preset=PRESETS["default"], stream=(0, 0))


def train(folder: Path, steps: int, ahead: int) -> dict[str, Any]:
    """Train some steps on a cold store; return seconds a step and the seconds waited in each."""
    config = Qwen3Config(vocab_size=VOCABULARY, hidden_size=64, intermediate_size=128, num_hidden_layers=3, head_dim=32,
                         num_attention_heads=2, num_key_value_heads=1)  # fmt: skip
    torch.manual_seed(0)
    model = Embedder(nest(AutoModel.from_config(config), (32, 64)), layers=(1, 3), chunk_tokens=8192).train()
    replica, form = spread(model, Group()), Form.of(Objective(), dims=(16, 32, 64), layers=(1, 3))
    store, plan = cold(folder, QUERIES)
    took, waited, losses = [], [], []
    with Feed(lambda step: batch_of(store, plan, step), 0, steps, ahead=ahead) as feed:
        for step in range(steps):
            began = time.perf_counter()
            batch = feed.take(step)
            losses.append(float(backward(replica, batch, form, whole_tokens=1 << 60).total))
            model.zero_grad(set_to_none=True)
            took.append(time.perf_counter() - began)
            waited.append(feed.waited)
    return {"seconds": took, "waited": waited, "losses": losses}


def large_batches(folder: Path, steps: int, *, together: bool) -> float:
    """Return the median time of a batch of 512 queries on a cold store."""
    own = MappedPages.read
    if not together:
        MappedPages.read = lambda *_: None  # type: ignore[method-assign] # as it was before pages were read together
    try:
        store, plan = cold(folder, LARGE)
        took = []
        for step in range(steps):
            began = time.perf_counter()
            batch_of(store, plan, step)
            took.append(time.perf_counter() - began)
    finally:
        MappedPages.read = own  # type: ignore[method-assign]
    return statistics.median(took)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print, and check that the wait is small."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=float, default=2.0, help="millions")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="feeding-", dir=given.folder))
    try:
        documents = round(given.documents * MILLION)
        write(folder, documents, documents // 4, VOCABULARY)
        runs = {ahead: train(folder, given.steps, ahead) for ahead in (0, 2)}
        assert runs[0]["losses"] == runs[2]["losses"]
        # Nothing can be ready at the first step; it is told apart.
        share = {ahead: sum(run["waited"][1:]) / sum(run["seconds"][1:]) for ahead, run in runs.items()}
        apart, together = (large_batches(folder, 8, together=kind) for kind in (False, True))
    finally:
        shutil.rmtree(folder)
    figures = {
        "step_seconds": {ahead: round(float(np.median(run["seconds"][1:])), 3) for ahead, run in runs.items()},
        "waited_share": {ahead: round(value, 5) for ahead, value in share.items()},
        "first_wait_seconds": round(runs[2]["waited"][0], 3),
        "batch_of_512_seconds": {"page by page": round(apart, 3), "pages read together": round(together, 3)},
    }
    print(json.dumps(figures, indent=2))
    assert share[2] < MOST_SHARE, share
    return figures


if __name__ == "__main__":
    main()
