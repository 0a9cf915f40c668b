"""A tokenized mix of a hundred million documents: time and memory to open it, and time of a batch.

    .venv/bin/python -m benchmarks.train_scale --documents 100 --samples 50

The options are in millions. Each sample has 24 negatives; there are 121 datasets of very different sizes. The store has
the format of `train.data.tokenize`, takes about 8 GB below `--folder`, and is deleted afterwards. Token ids are zeros,
which the file system stores as holes; all references to rows are real and checked. The page cache is dropped, then two
processes open the store at once and make batches of 512 queries from all parts of it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.mixing.files import BATCH_ROWS as BATCH
from open_ml_embed.core.sealed import seal
from open_ml_embed.core.splitmix import mixed
from train.data.tokenize import DOCUMENT_SCHEMA, INDEX, SAMPLE_SCHEMA
from train.data.tokenize import PART_ROWS as PART

MILLION = 1_000_000
DATASETS, NEGATIVES, DOCUMENT_TOKENS, QUERY_TOKENS = 121, 24, 200, 20
STEPS, BATCH_SIZE, PROCESSES = 200, 512, 2
MOST_SECONDS, MOST_BYTES = 10.0, 1 << 30


def cluster_of(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the cluster of each document or query of this store."""
    return (mixed(rows.astype(np.uint64)) >> np.uint64(1)).astype(np.int64)


def positive_of(rows: np.ndarray[Any, Any], documents: int) -> np.ndarray[Any, Any]:
    """Return the positive document of each sample of this store."""
    return (mixed(rows.astype(np.uint64) + np.uint64(7)) % np.uint64(documents)).astype(np.int64)


class Holes(io.RawIOBase):
    """A sparse file: blocks of zeros take no disk space."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if len(view) >= 1 << 16 and not np.frombuffer(view, np.uint8).any():
            self._file.seek(len(view), os.SEEK_CUR)
        else:
            self._file.write(view)
        self.bytes += len(view)
        return len(view)

    def close(self) -> None:
        if not self.closed:
            self._file.truncate(self.bytes)
            self._file.close()
        super().close()


def lists(n: int, of: int, values: np.ndarray[Any, Any] | None = None) -> pa.LargeListArray:
    """Return `n` lists of `of` int32 values each; zeros if no values are given."""
    flat = np.zeros(n * of, np.int32) if values is None else values.astype(np.int32)
    return pa.LargeListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int64) * of), pa.array(flat))


def tokens_of(rows: np.ndarray[Any, Any], of: int, vocabulary: int | None) -> pa.LargeListArray:
    """Return the token ids of rows: hashes of their places, or zeros without a vocabulary."""
    if vocabulary is None:
        return lists(len(rows), of)
    places = rows.astype(np.uint64)[:, None] * np.uint64(of) + np.arange(of, dtype=np.uint64)
    return lists(len(rows), of, (mixed(places) % np.uint64(vocabulary)).ravel())


def batches(
    kind: str, first: int, rows: int, documents: int, vocabulary: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a part of the store."""
    for start in range(first, first + rows, BATCH):
        at = np.arange(start, min(start + BATCH, first + rows))
        if kind == "documents":
            yield pa.record_batch(
                [tokens_of(at, DOCUMENT_TOKENS, vocabulary), pa.array(cluster_of(at))], schema=DOCUMENT_SCHEMA
            )
            continue
        negatives = (positive_of(at, documents)[:, None] + np.arange(1, NEGATIVES + 1)) % documents
        yield pa.record_batch(
            [
                tokens_of(at, QUERY_TOKENS, vocabulary),
                pa.array(cluster_of(at)),
                pa.array(positive_of(at, documents).astype(np.int32)),
                lists(len(at), NEGATIVES, negatives.ravel()),
                pa.array(at),
            ],
            schema=SAMPLE_SCHEMA,
        )


def write(folder: Path, documents: int, samples: int, vocabulary: int | None = None) -> None:
    """Write the store; with a vocabulary, its token ids take room on the disk."""
    sizes = {"documents": documents, "train": samples, "validation": samples // 100}
    files: dict[str, list[str]] = {}
    runs: dict[str, list[list[int]]] = {}
    shares = np.cumsum(1 / np.arange(1, DATASETS + 1))
    for kind, n in sizes.items():
        schema = DOCUMENT_SCHEMA if kind == "documents" else SAMPLE_SCHEMA
        files[kind] = []
        for first in range(0, n, PART):
            name = f"{kind}-{first // PART:05d}.ids.arrow"
            with Holes(folder / name) as sink, pa.ipc.new_file(pa.PythonFile(sink, "w"), schema) as writer:
                for batch in batches(kind, first, min(PART, n - first), documents, vocabulary):
                    writer.write_batch(batch)
            files[kind].append(name)
        if kind != "documents":
            ends = (shares / shares[-1] * n).astype(int)
            runs[kind] = [[code, int(length)] for code, length in enumerate(np.diff(ends, prepend=0))]
    names = [{"source": f"source-{i:03d}", "subset": "all", "family": "retrieval"} for i in range(DATASETS)]
    (folder / INDEX).write_bytes(seal({"datasets": names, "files": files, "runs": runs}, INDEX))


def drop_from_cache(folder: Path) -> None:
    """Drop the files from the page cache, so that the next process reads from the disk."""
    os.sync()
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def status(name: str) -> int:
    """Return a value of `/proc/self/status` in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def child(folder: Path) -> None:
    """Open the store, print time and memory, then make batches and check them."""
    from train.data.batch import make_batch
    from train.data.plan import Plan
    from train.data.token_store import map_store
    from train.model.presets import PRESETS

    imported = status("VmRSS")
    began = time.perf_counter()
    store = map_store(folder)
    plan = Plan([store.train.dataset.of(code) for code in range(len(store.datasets))], BATCH_SIZE, 0, 0)
    first = plan.step(0)
    opened = time.perf_counter() - began
    peak = status("VmHWM")
    documents = len(store.documents)
    assert len(first[1]) == BATCH_SIZE
    steps = np.random.default_rng(0).integers(0, plan.steps_per_epoch, STEPS).tolist()
    took = []
    for step in steps:
        began = time.perf_counter()
        batch = make_batch(store, plan, step, wanted={"retrieval": 7}, preset=PRESETS["default"], stream=(0, 0))
        took.append(time.perf_counter() - began)
        code, rows = plan.step(step)
        assert (store.train.dataset[rows] == code).all()
        assert np.array_equal(store.train.row[rows], rows)
        assert np.array_equal(store.train.query_cluster[rows], cluster_of(rows))
        assert np.array_equal(store.train.positive[rows], positive_of(rows, documents))
        assert np.array_equal(store.cluster[store.train.positive[rows]], cluster_of(positive_of(rows, documents)))
        assert len(batch.segments.ids) == len(rows) * QUERY_TOKENS + DOCUMENT_TOKENS * len(batch.document_rows)
    figures = {
        "open_seconds": opened, "imports_bytes": imported, "peak_bytes_open": peak,
        "anonymous_bytes": status("RssAnon"), "peak_bytes": status("VmHWM"),
        "steps": plan.steps_per_epoch, "batch_ms": statistics.median(took) * 1e3,
    }  # fmt: skip
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100, help="millions")
    parser.add_argument("--samples", type=int, default=50, help="millions")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--child", type=Path)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    folder = Path(tempfile.mkdtemp(prefix="train_scale-", dir=options.folder))
    try:
        began = time.perf_counter()
        write(folder, options.documents * MILLION, options.samples * MILLION)
        disk = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
        print(
            f"{options.documents} M documents, {options.samples} M samples: written in "
            f"{time.perf_counter() - began:.0f} s, {disk / 1e9:.1f} GB on disk"
        )
        drop_from_cache(folder)
        command = [sys.executable, "-m", "benchmarks.train_scale", "--child", str(folder)]
        children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
        said = [json.loads(process.communicate()[0]) for process in children]
        for figures in said:
            mib = {name: f"{value / 2**20:.0f} MiB" for name, value in figures.items() if "bytes" in name}
            print(
                f"open in {figures['open_seconds']:.2f} s, peak {mib['peak_bytes_open']}"
                f" (imports {mib['imports_bytes']}); {figures['batch_ms']:.0f} ms for a batch of {BATCH_SIZE}"
                f" ({STEPS} out of {figures['steps']:,}), {mib['anonymous_bytes']} of the process's own,"
                f" {mib['peak_bytes']} with the pages it has mapped"
            )
            assert figures["open_seconds"] < MOST_SECONDS
            assert figures["peak_bytes_open"] < MOST_BYTES
            assert figures["anonymous_bytes"] < MOST_BYTES
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
