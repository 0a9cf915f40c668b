"""Operation `dedup/matched`: duplicate samples, by comparing query with query and positive with positive.

A retrieval sample is a duplicate of another if the queries and the positives each have a Jaccard index at the threshold
or above. So ten questions about one passage are ten samples, although question and passage together share nearly all
their words. In the class families, a sample is a duplicate if its text is similar and its label is equal. Samples of
different families are never compared.

Candidates need no search of their own. Two samples that are similar on both sides have their queries in one component
and their documents in one component, and these components are known. In each such group, every sample is compared with
all kept samples before it.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa

from curation.dedup.exact import agreeing_bits, least_agreement, rank_bits
from curation.dedup.joining import ShingleSets, similarity
from curation.dedup.settings import DedupSettings
from curation.dedup.step.candidates import folded
from curation.dedup.step.components import component_of
from curation.dedup.step.ranks import ORDER, rows_of
from curation.dedup.step.shards import Corpus
from curation.dedup.step.shingles import sets_of
from open_ml_embed.core.array_types import I64, U8, U32, U64, Integer
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.tokens import mix64

MOST_COMPARED = 65_536
"""Kept samples of a group that a sample is compared with at most, those of lowest rank; bounds the cost of a group."""
FAMILIES = ("retrieval", "clustering", "classification")

MATCHED_SCHEMA = pa.schema([pa.field(name, pa.uint32(), nullable=False) for name in ("rank", "keeper")])
"""Samples that share a group with another sample, by rank, and the rank of the sample that is kept for each."""


class Match:
    """Operation, one task: map samples to the samples that are kept for them."""

    name: ClassVar[str] = "dedup/matched"
    version: ClassVar[int] = 1

    def __init__(self, settings: DedupSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Compare all samples; `task.payload` is a `Corpus`."""
        corpus: Corpus = task.payload
        members, bounds = _groups(store, corpus)
        keeper = members
        if len(members):
            sides = [_side(store, corpus, field, members) for field in ("query", "document")]
            family, label = _kinds(store, corpus, members)
            least = least_agreement(self.settings.num_perm, self.settings.threshold)
            place = _keepers(bounds, family, label, *sides[0], *sides[1], least, self.settings.threshold)
            keeper = members[place]
        order = np.argsort(members)
        table = pa.table([members[order], keeper[order]], schema=MATCHED_SCHEMA)
        out.table("matched", table.to_batches(), MATCHED_SCHEMA, compressed=False)
        stays = keeper == members
        return {
            "groups": len(bounds) - 1,
            "compared": len(members),
            "near_duplicates": int((~stays).sum()),
            "apart": int(stays.sum()) - (len(bounds) - 1),
        }


def kept_samples(store: Store) -> tuple[U32, U32]:
    """Return, by rank, the rank of each sample's kept sample, and that of the first sample equal to it, uint32."""
    leaders = folded(store, "sample")
    ranks, kept = flat(store, f"{Match.name}/all.matched.arrow", "rank", "keeper")
    keeper = np.arange(len(leaders), dtype=np.uint32)
    keeper[ranks] = kept
    return keeper[leaders], leaders


def _groups(store: Store, corpus: Corpus) -> tuple[U32, I64]:
    """Return the samples that may be similar to another one: their ranks, by group and ascending, and the group bounds.

    Only the first of equal samples is included. The samples of a group share the family and either the components of
    both sides (retrieval) or the query's component and the label (class families).
    """
    leaders = folded(store, "sample")
    family, label = _kinds(store, corpus, None)
    key = np.empty(corpus.rows, np.uint64)
    query, document = (component_of(store, field)[: corpus.rows] for field in ("query", "document"))
    _keys(query, document, family, label, key)
    del query, document, family, label
    bits = rank_bits(corpus.rows)
    packed = np.flatnonzero(leaders == np.arange(corpus.rows, dtype=np.uint32)).astype(np.uint64)
    packed |= key[packed] >> np.uint64(bits) << np.uint64(bits)
    packed.sort()
    members, bounds = _runs(packed, np.uint64((1 << bits) - 1))
    return members, bounds


def _kinds(store: Store, corpus: Corpus, ranks: U32 | None) -> tuple[U8, U64]:
    """Return the family (an index into `FAMILIES`) and the label hash of the samples of `ranks`; None: of all ranks."""
    (row,) = flat(store, ORDER, "row")
    row = row if ranks is None else row[ranks]
    family = np.repeat(
        np.array([FAMILIES.index(s.family) for s in corpus.shards], np.uint8), [s.rows for s in corpus.shards]
    )[row]
    return family, corpus.column(store, ["label"], np.uint64)["label"][row]


class _Side(NamedTuple):
    """One side of m samples.

    Attributes:
        leader: uint32[m], rank of the first text that equals the sample's text.
        sketched: uint64[m, w], sketch of that text (`minhash.sketches`).
        held: int64[m], index of that text's shingle set, -1 if the text occurs in no candidate pair.
        hashes, starts, lengths: the shingle sets (`joining.ShingleSets`).

    """

    leader: U32
    sketched: U64
    held: I64
    hashes: U32
    starts: I64
    lengths: I64


def _side(store: Store, corpus: Corpus, field: str, members: U32) -> _Side:
    leader = folded(store, field)[members]
    numbers = rows_of(store, field)[leader]
    both = field == "document"
    sketched = corpus.column(store, [f"{field}_sketch"], np.uint64, negatives=both)[f"{field}_sketch"][numbers]
    sets: ShingleSets = sets_of(store, corpus, field, np.unique(leader))
    held = np.searchsorted(sets.ranks, leader)
    inside = np.minimum(held, max(len(sets.ranks) - 1, 0))
    known = sets.ranks[inside] == leader if len(sets.ranks) else np.zeros(len(leader), bool)
    return _Side(leader, sketched, np.where(known, inside, -1), sets.hashes, sets.starts, sets.lengths)


@njit
def _keys(query: U32, document: U32, family: U8, label: U64, key: U64) -> None:
    for i in range(len(query)):
        other = np.uint64(document[i]) if family[i] == 0 else label[i]
        key[i] = mix64(mix64(np.uint64(query[i]) << np.uint64(2) | np.uint64(family[i])) ^ mix64(other))


@njit
def _runs(packed: U64, mask: np.uint64) -> tuple[U32, I64]:
    """Return the low bits of the values that share their high bits with another value, and the bounds of each run."""
    members, bounds = np.empty(len(packed), np.uint32), np.zeros(len(packed) // 2 + 2, np.int64)
    used = groups = start = 0
    while start < len(packed):
        end = start + 1
        while end < len(packed) and packed[end] & ~mask == packed[start] & ~mask:
            end += 1
        if end - start > 1:
            for i in range(start, end):
                members[used] = packed[i] & mask
                used += 1
            groups += 1
            bounds[groups] = used
        start = end
    return members[:used].copy(), bounds[: groups + 1].copy()


@njit
def _near(
    leader: U32,
    sketched: U64,
    held: I64,
    hashes: U32,
    starts: I64,
    lengths: I64,
    i: Integer,
    j: Integer,
    least: int,
    threshold: float,
) -> bool:
    """Tell whether one side of samples i and j is equal, or similar at the threshold or above."""
    if leader[i] == leader[j]:
        return True
    left, right = held[i], held[j]
    if left < 0 or right < 0 or agreeing_bits(sketched, i, j) < least:
        return False
    size, other = lengths[left], lengths[right]
    if min(size, other) < threshold * max(size, other):
        return False
    return similarity(hashes, starts, lengths, left, right) >= threshold


@njit
def _keepers(
    bounds: I64,
    family: U8,
    label: U64,
    q_leader: U32,
    q_sketched: U64,
    q_held: I64,
    q_hashes: U32,
    q_starts: I64,
    q_lengths: I64,
    d_leader: U32,
    d_sketched: U64,
    d_held: I64,
    d_hashes: U32,
    d_starts: I64,
    d_lengths: I64,
    least: int,
    threshold: float,
) -> I64:
    """Return the index of the kept sample for each sample: the first kept sample before it that is similar."""
    keeper = np.arange(len(family))
    kept = np.empty(MOST_COMPARED, np.int64)
    for group in range(len(bounds) - 1):
        count = 0
        for i in range(bounds[group], bounds[group + 1]):
            for k in range(count):
                j = kept[k]
                if family[i] != family[j] or label[i] != label[j]:
                    continue
                if not _near(q_leader, q_sketched, q_held, q_hashes, q_starts, q_lengths, i, j, least, threshold):
                    continue
                if family[i] == 0 and not _near(
                    d_leader, d_sketched, d_held, d_hashes, d_starts, d_lengths, i, j, least, threshold
                ):
                    continue
                keeper[i] = j
                break
            if keeper[i] == i and count < MOST_COMPARED:
                kept[count] = i
                count += 1
    return keeper
