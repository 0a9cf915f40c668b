"""What it costs to check a shard against its hash when it is first read.

    .venv/bin/python -m benchmarks.shard_checks --rows 200000

A shard of texts is written as `normalize` writes them, and read whole and by columns, with the check and without it;
then its file is hashed alone. Figures are seconds of CPU time, the least of five, with the file in the page cache.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from open_ml_embed.core import recorded
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import NoSettings, Outputs, Task, execute

SCHEMA = pa.schema([("row_id", pa.binary(16)), ("query", pa.large_string()), ("positive", pa.large_string())])


class Texts:
    """Writes one shard of random words."""

    name, version, settings = "texts", 1, NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, int]:
        rng = random.Random(0)
        words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(20_000)]

        def batch(rows: int) -> pa.RecordBatch:
            texts = [[" ".join(rng.choices(words, k=k)) for _ in range(rows)] for k in (8, 80)]
            return pa.record_batch([[rng.randbytes(16) for _ in range(rows)], *texts], schema=SCHEMA)

        out.table("rows", (batch(1000) for _ in range(task.payload // 1000)), SCHEMA)
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        execute(Texts(), Task("part", (), options.rows), "key", folder)
        store, path = Store(folder), "texts/part.rows.arrow"
        size = Path(store.full(path)).stat().st_size
        print(f"{options.rows:,} rows, {size / 1e6:,.0f} MB")
        hashing = least(lambda: hash_file(Path(store.full(path))))
        print(f"hash alone: {hashing:.3f} s, {size / hashing / 1e9:.1f} GB/s")
        for what, columns in (("whole", None), ("row ids", ["row_id"]), ("queries", ["query"])):
            store.read_table(path, columns)
            checked_before = least(lambda columns=columns: store.read_table(path, columns))
            first = least(lambda columns=columns: (recorded.forget(), store.read_table(path, columns)))
            print(f"read {what}: {checked_before:.3f} s, the first time in a process {first:.3f} s")


def least(call: Callable[[], object]) -> float:
    """Return the least CPU time of five calls, in seconds."""
    times = []
    for _ in range(5):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
