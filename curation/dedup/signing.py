"""Operation `signatures`: exact hash, band hashes and sketch of every row, as columns beside the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import xxhash

from curation.dedup.minhash import bands, signatures_of, sketches
from curation.engine import Outputs, Task
from curation.settings import DedupSettings
from curation.store import Store
from curation.text.tokens import Tokens, mix_all, tokenise

FIELDS = ("sample", "query", "document")
"""What is clustered: whole samples (what to drop), queries and documents (what the miner and trainer mask)."""
TEXTS = ["query", "positive", "label"]
ROWS_AT_ONCE = 32_768
"""Signatures of so many rows are in memory: 16 MB at 128 permutations, whatever the size of a shard."""


def tokens_of(rows: pa.Table, family: str) -> dict[str, Tokens]:
    """Return the tokens of every field of a rows table.

    A sample is its query and its document; in the two class families it is its text and its label, since the
    positive there is a random member of the class. Samples of different families never match: one text may well
    serve retrieval and clustering both.
    """
    query, document = tokenise(rows["query"]), tokenise(rows["positive"])
    other = document if family == "retrieval" else tokenise(rows["label"])
    salt = np.uint64(xxhash.xxh3_64_intdigest(family.encode()))
    return {"sample": _joined(query, other, salt), "query": query, "document": document}


def _joined(first: Tokens, second: Tokens, salt: np.uint64) -> Tokens:
    """Concatenate the tokens of two texts row by row, with `salt` as a token between them."""
    lengths = np.stack([np.diff(first.offsets), np.ones(len(first), np.int64), np.diff(second.offsets)], 1)
    offsets = np.concatenate([[0], np.cumsum(lengths.sum(1))])
    starts = offsets[:-1]
    hashes = np.empty(offsets[-1], np.uint64)
    hashes[starts + lengths[:, 0]] = salt
    _place(hashes, first, starts)
    _place(hashes, second, starts + lengths[:, 0] + 1)
    with np.errstate(over="ignore"):
        exact = mix_all(first.exact * np.uint64(31) + second.exact + salt)
    return Tokens(hashes, offsets, exact)


def _place(target: np.ndarray[Any, Any], tokens: Tokens, starts: np.ndarray[Any, Any]) -> None:
    position = np.arange(len(tokens.hashes)) - np.repeat(tokens.offsets[:-1], np.diff(tokens.offsets))
    target[np.repeat(starts, np.diff(tokens.offsets)) + position] = tokens.hashes


def signature_schema(settings: DedupSettings) -> pa.Schema:
    """Return `<field>_exact` (uint64), `<field>_sketch` (a bit a permutation), `<field>_band_00 …` (uint32).

    A band of 0 means: too short for a signature.
    """
    fields = []
    for name in FIELDS:
        fields.append(pa.field(f"{name}_exact", pa.uint64(), nullable=False))
        fields.append(pa.field(f"{name}_sketch", pa.binary(settings.permutations // 8), nullable=False))
        fields += [pa.field(f"{name}_band_{i:02d}", pa.uint32(), nullable=False) for i in range(settings.bands)]
    return pa.schema(fields)


class Sign:
    """Operation: a rows shard to its hashes."""

    name: ClassVar[str] = "signatures"
    version: ClassVar[int] = 3

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Hash one shard; `task.payload` is the loss family."""
        rows = store.read_table(f"rows/{task.path}.rows.arrow", TEXTS)
        short = dict.fromkeys(FIELDS, 0)
        out.table("signatures", self._batches(rows, task.payload, short), signature_schema(self.settings))
        return {"rows": rows.num_rows, "too_short": short}

    def _batches(self, rows: pa.Table, family: str, short: dict[str, int]) -> Iterator[pa.RecordBatch]:
        schema = signature_schema(self.settings)
        for start in range(0, rows.num_rows, ROWS_AT_ONCE):
            columns: list[pa.Array] = []
            for field, tokens in tokens_of(rows.slice(start, ROWS_AT_ONCE), family).items():
                signature, enough = signatures_of(tokens, self.settings)
                hashed = bands(signature, self.settings)
                hashed[:, ~enough] = 0
                kind = schema.field(f"{field}_sketch").type
                sketch = pa.FixedSizeBinaryArray.from_buffers(
                    kind, len(tokens), [None, pa.py_buffer(sketches(signature))]
                )
                columns += [pa.array(tokens.exact), sketch, *(pa.array(band) for band in hashed)]
                short[field] += int((~enough).sum())
            yield pa.record_batch(columns, schema=schema)
