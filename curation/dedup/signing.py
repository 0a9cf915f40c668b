"""Operation `signatures`: exact and band hashes of every row, as columns beside the rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import xxhash

from curation.dedup.minhash import bands, signatures_of
from curation.engine import Outputs, Task
from curation.settings import DedupSettings
from curation.store import Store
from curation.text.tokens import Tokens, mix_all, tokenise

FIELDS = ("sample", "query", "document")
"""What is clustered: whole samples (what to drop), queries and documents (what the miner and trainer mask)."""


def field_tokens(rows: pa.Table, family: str, field: str) -> Tokens:
    """Return the tokens of one field of a rows table.

    A sample is its query and its document; in the two class families it is its text and its label, since the
    positive there is a random member of the class. Samples of different families never match: one text may well
    serve retrieval and clustering both.
    """
    if field == "query":
        return tokenise(rows["query"])
    if field == "document":
        return tokenise(rows["positive"])
    other = tokenise(rows["positive"] if family == "retrieval" else rows["label"])
    return _joined(tokenise(rows["query"]), other, np.uint64(xxhash.xxh3_64_intdigest(family.encode())))


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
    """Return `<field>_exact` and `<field>_band_00 …`, all uint64; a band of 0 means: too short for a signature."""
    names = []
    for field in FIELDS:
        names += [f"{field}_exact", *(f"{field}_band_{i:02d}" for i in range(settings.bands))]
    return pa.schema([pa.field(name, pa.uint64(), nullable=False) for name in names])


class Sign:
    """Operation: a rows shard to its hashes."""

    name: ClassVar[str] = "signatures"
    version: ClassVar[int] = 1

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Hash one shard; `task.payload` is the loss family."""
        family = task.payload
        rows = store.read_table(f"rows/{task.path}.rows.arrow", ["query", "positive", "label"])
        columns: list[pa.Array] = []
        short = {}
        for field in FIELDS:
            tokens = field_tokens(rows, family, field)
            signature, enough = signatures_of(tokens, self.settings)
            hashed = bands(signature, self.settings)
            hashed[hashed == 0] = 1
            hashed[:, ~enough] = 0
            columns += [pa.array(tokens.exact), *(pa.array(band) for band in hashed)]
            short[field] = int((~enough).sum())
        schema = signature_schema(self.settings)
        out.table("signatures", pa.table(columns, schema=schema).to_batches(), schema)
        return {"rows": rows.num_rows, "too_short": short}
