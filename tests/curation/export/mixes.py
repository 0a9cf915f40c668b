"""A made mix of three families in the schema of the real ones, and what its samples say in plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA

FAMILY = {"squad": "retrieval", "fever": "retrieval", "topics": "clustering", "moods": "classification"}
LANGUAGES = ("eng", "deu", "swa", "python")
ODD = 'quote " backslash \\ tab \t line\nfeed \u2028 é 漢字 \U0001f600'


@dataclass(frozen=True)
class Made:
    """A mix, its samples in file order, and the texts of its documents by number."""

    root: Path
    train: list[dict]
    validation: list[dict]
    texts: list[str]

    def negatives(self, sample: dict) -> list[str]:
        return [self.texts[number] for number in sample["negative_ids"]]

    def positives(self, sample: dict) -> list[str]:
        return [self.texts[number] for number in (sample["positive_id"], *sample["other_positive_ids"])]


def query(i: int, instructed: bool) -> str:
    before = f"Instruct: Find what fits number {i % 4}.\nQuery: " if instructed else ""
    return f"{before}query {i} {ODD if i % 7 == 0 else ''}\nsecond line"


def make(root: Path, *, rows: int = 120, instructed: bool = True) -> Made:
    """Write a mix: sample i is of the source i % 4, has i % 6 negatives, and every fifth has a second positive."""
    texts = [f"document {d} {ODD if d % 5 == 0 else ''}" for d in range(3 * rows)]
    splits: dict[str, list[dict]] = {"train": [], "validation": []}
    for i in range(rows):
        source = list(FAMILY)[i % 4]
        others = [rows + i] if i % 5 == 0 else []
        sample = {
            "row_id": f"{i:032x}", "source": source, "subset": "all", "license": "MIT", "family": FAMILY[source],
            "provenance": [f"{source}/all", *(["nc_source/a/b"] if i % 9 == 0 else [])], "task": "t",
            "language": LANGUAGES[i % 3], "positive_language": LANGUAGES[(i + 1) % 4], "query": query(i, instructed),
            "other_queries": ["in other words"] if i % 8 == 0 else [], "positive": texts[i], "query_cluster": i,
            "positive_id": i, "other_positive_ids": others,
            "negative_ids": [2 * rows + (i * 7 + k * 11) % rows for k in range(i % 6)],
        }  # fmt: skip
        splits["validation" if i % 10 > 7 else "train"].append(sample)
    return write(root, splits, texts)


def write(root: Path, splits: dict[str, list[dict]], texts: list[str]) -> Made:
    """Write samples, in two files a split, and documents, a hundred a file."""
    (root / "samples").mkdir(parents=True)
    (root / "documents").mkdir()
    for split, samples in splits.items():
        for n, part in enumerate((samples[: len(samples) // 3], samples[len(samples) // 3 :])):
            table = pa.Table.from_pylist(part, SAMPLE_SCHEMA)
            pq.write_table(table, root / "samples" / f"{split}-{n:05d}.parquet")
    for n, first in enumerate(range(0, len(texts), 100)):
        documents = [
            {"document_id": d, "text": texts[d], "cluster": d, "source": "squad", "subset": "all"}
            for d in range(first, min(first + 100, len(texts)))
        ]
        pq.write_table(pa.Table.from_pylist(documents, DOCUMENT_SCHEMA), root / "documents" / f"{n:05d}.parquet")
    return Made(root, splits["train"], splits["validation"], texts)
