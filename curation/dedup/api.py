"""Deduplication of texts in memory, for use from Python: the algorithm of step `dedup`, without shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.dedup import minhash
from curation.dedup.exact import fold, least_agreement, merge, run_pairs
from curation.dedup.joining import ShingleSets, join, named_by, similarities
from curation.dedup.settings import DedupSettings
from open_ml_embed.core.array_types import F64, I64, U32, U64, Mask
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.text.arrays import one_array, text_array
from open_ml_embed.core.text.tokens import tokenize

AT_ONCE = 8192
"""Texts tokenized at a time."""


def signatures(
    texts: pa.Array | pa.ChunkedArray | Sequence[str], settings: DedupSettings | None = None
) -> tuple[U32, Mask]:
    """Return the MinHash signatures of texts.

    Args:
        texts: n strings. Arrow arrays are read in place; a lone surrogate in a Python string reads as U+FFFD.
        settings: shingle size, number of permutations and seed, named as in datasketch; None takes the defaults.

    Returns:
        (uint32[n, num_perm], bool[n]): the signatures, and whether each text has one. The share of equal values in
        two signatures estimates the Jaccard index of the two sets of shingles (Broder 1997). A text with fewer tokens
        than a shingle has no signature: zeros and False.

    Raises:
        SettingsError: `texts` is a single string, or not a list of texts.

    """
    return minhash.signatures_of(tokenize(text_array(texts)), settings or DedupSettings())


@dataclass(frozen=True, eq=False)
class Compared:
    """n texts, compared: enough to tell duplicates at one threshold or, without reading a text again, at a higher one.

    Attributes:
        leaders: uint32[n], the first text that equals each one but for case and white space.
        pairs: uint64, sorted, candidates for near-duplicates: the lower row in the high half, the higher one below.
        sets: shingles of all texts in pairs.
        threshold: that candidates were sought for.

    """

    leaders: U32
    pairs: U64
    sets: ShingleSets
    threshold: float

    def clusters(self, threshold: float) -> pa.Table:
        """Return what `cluster` returns, at this threshold.

        Raises:
            SettingsError: it is below that of the comparison: candidates for it were not sought.

        """
        if not self.threshold <= threshold <= 1:
            raise SettingsError(
                f"{threshold} is not between {self.threshold} and 1",
                where="threshold",
                remedy="compare the texts again: pairs below the first threshold were not looked for",
            )
        rows, needed = np.arange(len(self.leaders), dtype=np.uint32), self.sets.ranks
        joined = join(self.pairs, self.sets, threshold)
        keeper, component = rows.copy(), rows.copy()
        keeper[needed], component[needed] = joined.keeper, joined.component
        chosen = keeper[self.leaders]
        verdict = np.where(chosen == rows, 0, np.where(self.leaders == rows, 2, 1))
        reason = pa.array([None, "exact-duplicate", "near-duplicate"]).take(pa.array(verdict))
        numbers = [pa.array(column.astype(np.int64)) for column in (rows, chosen, component[self.leaders])]
        names = ["row", "cluster", "component", "keep", "reason"]
        return pa.table([*numbers, pa.array(verdict == 0), reason], names=names)

    def jaccard(self, rows: I64, kept: I64) -> F64:
        """Return the true Jaccard index of duplicates and the texts that stay for them (1 where those are equal)."""
        left, right = self.leaders[rows], self.leaders[kept]
        found, near = np.ones(len(rows), np.float64), left != right
        found[near] = similarities(self.sets, left[near], right[near])
        return found


def cluster(texts: pa.Array | pa.ChunkedArray | Sequence[str], settings: DedupSettings | None = None) -> pa.Table:
    """Cluster texts by exact and near-duplicates.

    Args:
        texts: n strings, as in `signatures`; of each cluster, the first text is kept.
        settings: shingle size, permutations, bands and threshold; None takes the defaults.

    Returns:
        A table of n rows: `row` int64 (0 … n - 1); `cluster` int64, the row that is kept in place of this one;
        `component` int64, the first row of the connected component of near-duplicates; `keep` bool; `reason` string:
        `exact-duplicate` (equal except for case and white space), `near-duplicate` (true Jaccard index with the kept
        row at or above the threshold), or null for a kept row.

    Raises:
        SettingsError: `texts` is a single string, or not a list of texts.

    """
    settings = settings or DedupSettings()
    return compare(texts, settings).clusters(settings.threshold)


def compare(texts: pa.Array | pa.ChunkedArray | Sequence[str], settings: DedupSettings | None = None) -> Compared:
    """Find which texts are equal and which may be near-duplicates; arguments as in `cluster`."""
    settings = settings or DedupSettings()
    array = one_array(text_array(texts))
    n = len(array)
    parts = [tokenize(array.slice(start, AT_ONCE)).exact for start in range(0, n, AT_ONCE)]
    rows = np.arange(n, dtype=np.uint32)
    leaders = fold(np.concatenate([np.zeros(0, np.uint64), *parts]), rows)
    hashed = np.zeros((settings.bands, n), np.uint32)
    sketched = np.zeros((n, settings.num_perm // 64), np.uint64)
    first = np.flatnonzero(leaders == rows)
    for start in range(0, len(first), AT_ONCE):
        here = first[start : start + AT_ONCE]
        signed, enough = minhash.signatures_of(tokenize(array.take(pa.array(here))), settings)
        banded = minhash.bands(signed, settings)
        banded[:, ~enough] = 0
        hashed[:, here], sketched[here] = banded, minhash.sketches(signed)
    pairs = np.zeros(0, np.uint64)
    least = least_agreement(settings.num_perm, settings.threshold)
    for band in hashed:
        pairs = merge(pairs, run_pairs(band, rows, leaders, sketched, least))
    needed = named_by(pairs)
    hashes, offsets = minhash.shingle_sets(tokenize(array.take(pa.array(needed))), settings.shingle)
    sets = ShingleSets(needed, (hashes >> np.uint64(32)).astype(np.uint32), offsets[:-1], np.diff(offsets))
    return Compared(leaders, pairs, sets, settings.threshold)
