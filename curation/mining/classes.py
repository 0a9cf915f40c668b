"""Negatives where rows carry a class: members of other classes, balanced over the classes, seeded by query."""

from __future__ import annotations

import numpy as np

from curation.mining.masks import Masks, Ragged, masked_by
from curation.mining.negatives import ORIGINS, REASONS, Negatives
from curation.mining.rules import Pool, is_known
from open_ml_embed.core.array_types import I8, I32, I64, U64
from open_ml_embed.core.compiled import int64, njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.text.tokens import mix64, mix_all

GIVEN, CLASS = ORIGINS.index("given"), ORIGINS.index("class")
DRAWS = 8
"""How many members are looked at for each negative wanted, at most."""
TRIES = 4
"""How many of one class, before the next has its turn."""


def mine_classes(
    query_label: I64, members: I32, member_label: I64, pool: Pool, num_negatives: int, seed: int
) -> Negatives:
    """Draw negatives for n queries; those that the source gives come first.

    Args:
        query_label: int64[n], class numbers from 0 up; negative: none, and nothing is drawn.
        members: int32[p], document numbers, one for each class that the document's text stands in.
        member_label: int64[p], those classes.
        pool: masks, given negatives, and the keys that make a draw independent of the order of rows.
        num_negatives: negatives for each query.
        seed: another one draws others.

    Each further negative comes from the next class of a cycle that starts at random, and is a random member of it:
    never one with a near-duplicate in the query's class, never one that a mask keeps out.
    """
    n, masks = len(query_label), pool.masks
    order = np.lexsort((members, member_label))
    members, member_label = members[order], member_label[order]
    classes, starts = np.unique(member_label, return_index=True)
    clusters = np.unique(np.stack([member_label, masks.document_cluster[members]], 1), axis=0)
    bounds = np.searchsorted(clusters[:, 0], query_label), np.searchsorted(clusters[:, 0], query_label, "right")
    seeds = mix_all(pool.keys ^ mix64(np.uint64(seed)))
    ids, origins = np.full((n, num_negatives), -1, np.int32), np.full((n, num_negatives), CLASS, np.int8)
    counts = np.zeros(len(REASONS), np.int64)
    _draw(
        query_label, classes, np.append(starts, len(members)), members, np.ascontiguousarray(clusters[:, 1]), *bounds,
        masks, pool.given, seeds, ids, origins, counts,
    )  # fmt: skip
    taken = ids >= 0
    offsets = offsets_of(taken.sum(1))
    rejected = dict(zip(REASONS[1:], counts[1:].tolist(), strict=True))
    unknown = np.full(n, np.nan, np.float32)
    return Negatives(
        offsets,
        ids[taken],
        np.full(offsets[-1], np.nan, np.float32),
        origins[taken],
        unknown,
        np.full(n, -1, np.int32),
        rejected,
        [],
    )


@njit
def _draw(
    query_label: I64,
    classes: I64,
    starts: I64,
    members: I32,
    clusters: I64,
    own_first: I64,
    own_last: I64,
    masks: Masks,
    given: Ragged,
    seeds: U64,
    ids: I32,
    origins: I8,
    counts: I64,
) -> None:
    num_negatives = ids.shape[1]
    for row in range(len(query_label)):
        taken = 0
        for i in range(given.offsets[row], given.offsets[row + 1]):
            reason = masked_by(masks, row, given.values[i])
            counts[reason] += reason > 0
            known = is_known(ids[row], taken, masks.document_cluster, given.values[i])
            if reason == 0 and taken < num_negatives and not known:
                ids[row, taken], origins[row, taken] = given.values[i], GIVEN
                taken += 1
        own = np.searchsorted(classes, query_label[row])
        others = len(classes) - (own < len(classes) and classes[own] == query_label[row])
        if query_label[row] < 0 or others == 0:
            continue
        draw = mix64(seeds[row])
        other = int64(draw % np.uint64(others))
        before, tries = taken, 0
        for _ in range(DRAWS * (num_negatives - taken)):
            if taken == num_negatives:
                break
            if taken > before or tries == TRIES:
                before, tries = taken, 0
                other = (other + 1) % others
            tries += 1
            chosen = other + (others < len(classes) and other >= own)
            draw = mix64(draw + np.uint64(GOLDEN))
            size = starts[chosen + 1] - starts[chosen]
            document = members[starts[chosen] + int64(draw % np.uint64(size))]
            cluster = masks.document_cluster[document]
            place = own_first[row] + np.searchsorted(clusters[own_first[row] : own_last[row]], cluster)
            if place < own_last[row] and clusters[place] == cluster:
                continue
            reason = masked_by(masks, row, document)
            counts[reason] += reason > 0
            if reason == 0 and not is_known(ids[row], taken, masks.document_cluster, document):
                ids[row, taken] = document
                taken += 1
