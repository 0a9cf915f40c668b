"""Operation `signatures`: exact hash, band hashes and sketch of every text, as row-aligned columns.

Two fields have signatures: queries, and documents (positives and given negatives). A sample has no signature of its
own, since `curation.dedup.step.sample_pairs` compares samples by their sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from curation.dedup.minhash import bands, signatures_of, sketches
from curation.dedup.settings import DedupSettings
from open_ml_embed.core.array_types import U32, U64
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.tokens import Tokens, mix_all, tokenize

FIELDS = ("query", "document")
"""The fields that MinHash compares. The miner and the trainer mask by the clusters of both."""
FOLDED = ("sample", *FIELDS)
"""The items that are folded by exact hash."""
TEXTS = ["query", "positive", "label", "negatives"]
ROWS_AT_ONCE = 32_768
"""Texts whose signatures are in memory at once: 16 MB at 128 permutations, for a shard of any size."""


def label_hashes(rows: pa.Table, family: str) -> U64:
    """Return a hash that two duplicate samples of one family must share in addition to similar texts, uint64[rows].

    In the class families it is the hash of the label, because the positive is any member of the class. In retrieval it
    is 0.
    """
    if family == "retrieval":
        return np.zeros(rows.num_rows, np.uint64)
    return tokenize(rows["label"]).exact


def sample_hashes(query: U64, document: U64, label: U64, family: str) -> U64:
    """Return hashes of whole samples, uint64[n]; equal for samples of one family with equal sides.

    Args:
        query: uint64[n], exact hashes of the queries.
        document: uint64[n], exact hashes of the positives; used in retrieval only.
        label: uint64[n], from `label_hashes`; used in the class families only.
        family: the family of all n samples. Samples of different families never match, since a text that is both a
            retrieval query and a member of a class is useful in both roles.

    """
    salt = np.uint64(xxhash.xxh3_64_intdigest(family.encode()))
    other = document if family == "retrieval" else label
    with np.errstate(over="ignore"):
        return np.asarray(mix_all(query * np.uint64(31) + other + salt))


def signature_schema(settings: DedupSettings) -> pa.Schema:
    """Return the schema of the table that is row-aligned with the rows shard.

    `sample_exact` and `label` come from `sample_hashes` and `label_hashes`, `negatives` is the number of given
    negatives. Each field has `<field>_exact` (uint64), `<field>_sketch` (one bit for each permutation) and
    `<field>_band_00 …` (uint32). A band hash of 0 means that the text is too short for a signature.
    """
    sample_columns = [
        pa.field("sample_exact", pa.uint64(), nullable=False),
        pa.field("label", pa.uint64(), nullable=False),
        pa.field("negatives", pa.int32(), nullable=False),
    ]
    return pa.schema([*sample_columns, *(column for field in FIELDS for column in _columns(field, settings))])


def negative_schema(settings: DedupSettings) -> pa.Schema:
    """Return the schema of the table with one line for each given negative, row by row: field `document` only."""
    return pa.schema(_columns("document", settings))


def _columns(field: str, settings: DedupSettings) -> list[pa.Field]:
    return [
        pa.field(f"{field}_exact", pa.uint64(), nullable=False),
        pa.field(f"{field}_sketch", pa.binary(settings.num_perm // 8), nullable=False),
        *(pa.field(f"{field}_band_{i:02d}", pa.uint32(), nullable=False) for i in range(settings.bands)),
    ]


class Sign:
    """Operation: compute the hashes of a rows shard."""

    name: ClassVar[str] = "signatures"
    version: ClassVar[int] = 4

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Hash one shard; `task.payload` is the loss family."""
        rows = store.read_table(f"rows/{task.path}.rows.arrow", TEXTS)
        short = dict.fromkeys((*FIELDS, "negative"), 0)
        out.table("signatures", self._rows(rows, task.payload, short), signature_schema(self.settings))
        out.table("negatives", self._negatives(rows, short), negative_schema(self.settings))
        return {"rows": rows.num_rows, "too_short": short}

    def _rows(self, rows: pa.Table, family: str, short: dict[str, int]) -> Iterator[pa.RecordBatch]:
        schema = signature_schema(self.settings)
        for start in range(0, rows.num_rows, ROWS_AT_ONCE):
            part = rows.slice(start, ROWS_AT_ONCE)
            tokens = {"query": tokenize(part["query"]), "document": tokenize(part["positive"])}
            label = label_hashes(part, family)
            sample = sample_hashes(tokens["query"].exact, tokens["document"].exact, label, family)
            columns = [pa.array(sample), pa.array(label), pc.list_value_length(part["negatives"]).combine_chunks()]
            for field, hashed in tokens.items():
                signed, too_short = self._signed(hashed)
                columns += signed
                short[field] += too_short
            yield pa.record_batch(columns, schema=schema)

    def _negatives(self, rows: pa.Table, short: dict[str, int]) -> Iterator[pa.RecordBatch]:
        schema = negative_schema(self.settings)
        for chunk in rows["negatives"].chunks:
            texts = chunk.flatten()
            for start in range(0, len(texts), ROWS_AT_ONCE):
                signed, too_short = self._signed(tokenize(texts.slice(start, ROWS_AT_ONCE)))
                short["negative"] += too_short
                yield pa.record_batch(signed, schema=schema)

    def _signed(self, tokens: Tokens) -> tuple[list[pa.Array], int]:
        """Return the columns of one field, and the number of its texts that are too short for a signature."""
        signature, enough = signatures_of(tokens, self.settings)
        hashed: U32 = bands(signature, self.settings)
        hashed[:, ~enough] = 0
        kind = pa.binary(self.settings.num_perm // 8)
        sketch = pa.FixedSizeBinaryArray.from_buffers(kind, len(tokens), [None, pa.py_buffer(sketches(signature))])
        return [pa.array(tokens.exact), sketch, *(pa.array(band) for band in hashed)], int((~enough).sum())
