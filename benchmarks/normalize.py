"""Normalization of a raw file on one core, beside datasets.map and datatrove; `--large`: peak memory on a 5 GB file."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ["POLARS_MAX_THREADS"] = "1"

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from benchmarks._timing import compare
from curation.normalize.settings import NormalizeSettings
from curation.normalize.shared_tables import SharedTables
from curation.normalize.step import Normalize
from curation.raw_copies import RawCopies
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from sources.manifest import Manifest
from sources.parts import Part, RawFile

ROWS = 240_000
LARGE_BYTES = 5 << 30
WORDS = [w for w in dict.fromkeys(" ".join(str(m.__doc__) for m in (random, os, json, shutil)).split()) if w] + [
    "Ufer", "café", "naïve", "река", "город", "水", "東京", "مدينة", "नदी", "Straße",
]  # fmt: skip


def manifest(kind: str) -> Manifest:
    """Return the manifest of the generated file: a question and its context."""
    return Manifest.model_validate(
        {
            "name": "bench", "title": "Benchmark", "collection": "offline", "task": "question-answering",
            "family": "retrieval", "origin": {"kind": "manual", "url": "nowhere", "folder": "nowhere"},
            "tables": {"records": {
                "files": ["*"], "format": kind, "fields": {"question": "string", "context": "string"},
            }},
            "shape": {"kind": "qa", "args": {"question": "question", "context": "context"}},
            "subsets": {"en": {"query_lang": "eng-Latn"}},
            "license": {"id": "CC0-1.0", "commercial": True, "redistribution": True},
            "citation": "Nobody.", "samples": 0, "instruction": "Given a question, find its context.",
        }
    )  # fmt: skip


def records(count: int, seed: int = 0) -> Iterator[dict[str, str]]:
    """Yield records of the length of SQuAD's; one in twenty has blanks or control characters to clean."""
    rng = random.Random(seed)
    pool = [" ".join(rng.choices(WORDS, k=110)) for _ in range(2000)]
    for number in range(count):
        dirt = "  \u0007 " if number % 20 == 0 else ""
        context = f"{pool[number % 2000]} {number}{dirt}"
        yield {
            "id": f"{number:08d}",
            "question": " ".join(rng.choices(WORDS, k=10)) + f" {number}?",
            "context": context,
        }


def write(folder: Path) -> dict[str, Path]:
    """Write the same records as JSON lines and as Parquet."""
    rows = list(records(ROWS))
    paths = {"jsonl": folder / "records.jsonl", "parquet": folder / "records.parquet"}
    with paths["jsonl"].open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    pq.write_table(pa.Table.from_pylist(rows), paths["parquet"], row_group_size=50_000)
    return paths


def ours(kind: str, path: Path, out: Path) -> tuple[Store, str]:
    """Run the step as a worker does: read, clean, validate, assign row ids, write a shard."""
    store = Store(str(out))
    raw = RawFile("records", path.name, str(path), path.stat().st_size, "xxh3:0")
    payload = (Part("bench", "en", 0, (raw,)), manifest(kind), RawCopies(""), SharedTables("", {}))
    task = Task("bench/en/00000", ("0",), payload)
    outputs = Outputs(store, "rows", task.path)
    Normalize(NormalizeSettings(shard_rows=500_000)).run(task, store, outputs)
    return store, outputs.written[0].path


CONTROLS = {c: None for c in range(0x20) if c not in (9, 10)} | {0x7F: None, 0xFEFF: None}


def clean(text: str) -> str:
    """Apply the normalization of `sources.text` to one string."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(CONTROLS)
    lines = unicodedata.normalize("NFC", text).split("\n")
    return "\n".join(" ".join(part for part in line.replace("\t", " ").split(" ") if part) for line in lines).strip()


def name(query: str, positive: str) -> bytes:
    """Return the row id."""
    return xxhash.xxh3_128_digest(f"{len(query)}{query}{len(positive)}{positive}".encode())


def with_datasets(kind: str, path: Path, out: Path) -> Any:
    """Load and map the file with datasets, batched, in one process."""
    import datasets

    datasets.disable_progress_bars()
    shutil.rmtree(out, ignore_errors=True)

    def rows(batch: dict[str, list[str]]) -> dict[str, list[object]]:
        queries, positives = [clean(t) for t in batch["question"]], [clean(t) for t in batch["context"]]
        return {
            "row_id": [name(q, p) for q, p in zip(queries, positives, strict=True)],
            "query": queries,
            "positive": positives,
        }

    builder = {"jsonl": "json", "parquet": "parquet"}[kind]
    raw = datasets.load_dataset(builder, data_files=str(path), split="train", cache_dir=str(out))
    return raw.map(rows, batched=True, remove_columns=raw.column_names)


def with_datatrove(kind: str, path: Path, out: Path) -> None:
    """Run a datatrove pipeline in one process: reader, cleaning adapter, Parquet writer."""
    from datatrove.data import Document
    from datatrove.pipeline.readers import JsonlReader, ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from loguru import logger

    logger.remove()
    shutil.rmtree(out, ignore_errors=True)

    def adapt(_self: object, data: dict[str, str], *_rest: object) -> dict[str, object]:
        query, positive = clean(data["question"]), clean(data["context"])
        return {"text": positive, "id": name(query, positive).hex(), "metadata": {"query": query}}

    reader = {"jsonl": JsonlReader, "parquet": ParquetReader}[kind]
    source = reader(str(path.parent), glob_pattern=path.name, adapter=adapt)
    writer = ParquetWriter(str(out))
    documents: Iterator[Document] = writer(source(None, 0, 1), 0, 1)
    for _ in documents:
        pass


def check(kind: str, path: Path, folder: Path) -> None:
    """Assert that all three produce the same texts."""
    store, made = ours(kind, path, folder / "ours")
    table = store.read_table(made)
    queries = table["query"].to_pylist()
    assert table.num_rows == ROWS
    assert queries == with_datasets(kind, path, folder / "datasets")["query"][:]
    with_datatrove(kind, path, folder / "datatrove")
    found = pq.read_table(folder / "datatrove")
    assert found["text"].to_pylist() == table["positive"].to_pylist()
    assert [m["query"] for m in found["metadata"].to_pylist()] == queries
    print(f"{kind}: {ROWS:,} rows of all three are equal")


def large(folder: Path) -> None:
    """Normalize a 5 GB file of each kind in a separate process, and print the peak memory."""
    block = list(records(100_000))
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in block).encode()
    path = folder / "large.jsonl"
    with path.open("wb") as file:
        while file.tell() < LARGE_BYTES:
            file.write(lines)
    measure("jsonl", path, folder)
    path.unlink()
    path = folder / "large.parquet"
    table = pa.Table.from_pylist(block)
    with pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False) as writer:
        while path.stat().st_size < LARGE_BYTES:
            writer.write_table(table)
    measure("parquet", path, folder)


def measure(kind: str, path: Path, folder: Path) -> None:
    """Normalize one file in a child process, and print its peak memory."""
    command = [sys.executable, "-m", "benchmarks.normalize", kind, str(path), str(folder / "out"), "--worker"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"{kind}: {path.stat().st_size / 1e9:.2f} GB, peak memory {said.strip()}")
    shutil.rmtree(folder / "out", ignore_errors=True)


def main() -> None:
    """Run the comparison, or the memory measurement."""
    if sys.argv[-1] == "--worker":
        ours(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
        # Not getrusage: for a program started by a larger one, it reports the peak of the larger one.
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        peak = int(status["VmHWM"].split()[0]) / 1024
        print(f"{peak:,.0f} MiB")
        assert peak < 1000 * 1e6 / 2**20, "more than 1 GB"
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as made:
        folder = Path(made)
        if "--large" in sys.argv:
            large(folder)
            return
        for kind, path in write(folder).items():
            check(kind, path, folder)
            compare(f"{kind}: rows a second on one core", {
                "ours": (lambda k=kind, p=path: ours(k, p, folder / "ours"), ROWS),
                "datasets.map": (lambda k=kind, p=path: with_datasets(k, p, folder / "datasets"), ROWS),
                "datatrove": (lambda k=kind, p=path: with_datatrove(k, p, folder / "datatrove"), ROWS),
            })  # fmt: skip


if __name__ == "__main__":
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    main()
