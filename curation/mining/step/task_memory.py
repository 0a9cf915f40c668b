"""How many bytes of memory the tasks of step `mine` hold at their peaks, from figures that are known before they start.

The bounds count what a process holds for itself, not the index, whose files the system may drop from memory. They were
fitted to the made-up texts of the rehearsals (`docs/scale.md`); a test compares them with real peaks.
"""

from __future__ import annotations

from typing import NamedTuple

from curation.build import Shard, StepResult
from curation.mining.lexical import QUERIES_AT_ONCE

_ANY = 64 << 20
"""Buffers of a task, whatever its size."""
_ROW, _NEGATIVE = 240, 120
"""To number the texts of a pool: for each row, a query and a document; for each given negative, a document."""
_LINKED = 320
"""To search a pool: masks, links and numbers, for each row and each given negative."""
_TOKENS = 14
"""To tokenize and sort: tokens of a text, and its postings, for each byte of the text in a rows shard."""
_TERMS = 2
"""The distinct words of the documents, and how many documents hold each, for each byte of text in the rows shards."""


class PoolSize(NamedTuple):
    """Size of a pool: rows, given negatives, and bytes of its rows shards (compressed)."""

    rows: int
    negatives: int
    size: int


class Sizes:
    """Sizes of pools, from the results of the steps before."""

    def __init__(self, rows: StepResult, dedup: StepResult | None) -> None:
        """Note the sizes of all shards.

        Args:
            rows: the result of step `normalize`.
            dedup: the result of step `dedup`; null: then no given negatives are counted.

        """
        self._bytes = {file.path: file.bytes for file in rows.files}
        self._lines = {file.path: file.rows for file in (dedup.files if dedup else [])}

    def of(self, shards: list[Shard]) -> PoolSize:
        """Return the size of the pool with these shards."""
        return PoolSize(
            sum(shard.rows for shard in shards),
            sum(self._lines.get(f"signatures/{shard.path}.negatives.arrow", 0) for shard in shards),
            sum(self._bytes.get(f"rows/{shard.path}.rows.arrow", 0) for shard in shards),
        )


def to_collect(pool: PoolSize) -> int:
    """Return the bytes that numbering the texts of a pool takes."""
    return _ANY + _ROW * pool.rows + _NEGATIVE * pool.negatives


def to_search(pool: PoolSize) -> int:
    """Return the bytes that a search of a pool by BM25 takes: of one block of queries, the index included.

    Texts are tokenized some thousands at a time, so of a large pool only a part is in memory as tokens.
    """
    share = min(1.0, QUERIES_AT_ONCE / max(pool.rows, 1))
    return _ANY + _LINKED * (pool.rows + pool.negatives) + int((_TOKENS * share + _TERMS) * pool.size)
