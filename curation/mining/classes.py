"""Negatives for labeled rows: members of other classes, balanced over the classes, with a random seed per query."""

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
"""Most draws for each negative that is missing."""
TRIES = 4
"""Draws from one class before the next class is tried."""


def mine_classes(
    query_label: I64, members: I32, member_label: I64, pool: Pool, num_negatives: int, seed: int
) -> Negatives:
    """Draw negatives for n queries; those that the source gives come first.

    The other negatives are random members of the other classes. The classes are visited in a cycle that starts at a
    random class. Masked documents, and documents with a near-duplicate in the query's class, are never drawn.

    Args:
        query_label: int64[n], class numbers from 0 up; a negative number: no class, and nothing is drawn.
        members: int32[p], document numbers, one entry for each class that has the document.
        member_label: int64[p], the class of each entry.
        pool: masks, given negatives, and the keys that make a draw independent of the order of rows.
        num_negatives: negatives for each query.
        seed: changes which members are drawn.

    Returns:
        The negatives, without scores: NaN, and rank -1.

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
    selected = ids >= 0
    offsets = offsets_of(selected.sum(1))
    rejected = dict(zip(REASONS[1:], counts[1:].tolist(), strict=True))
    no_score = np.full(n, np.nan, np.float32)
    return Negatives(
        offsets,
        ids[selected],
        np.full(offsets[-1], np.nan, np.float32),
        origins[selected],
        no_score,
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
    first_cluster: I64,
    last_cluster: I64,
    masks: Masks,
    given: Ragged,
    seeds: U64,
    ids: I32,
    origins: I8,
    counts: I64,
) -> None:
    num_negatives = ids.shape[1]
    for row in range(len(query_label)):
        count = 0
        for i in range(given.offsets[row], given.offsets[row + 1]):
            reason = masked_by(masks, row, given.values[i])
            counts[reason] += reason > 0
            known = is_known(ids[row], count, masks.document_cluster, given.values[i])
            if reason == 0 and count < num_negatives and not known:
                ids[row, count], origins[row, count] = given.values[i], GIVEN
                count += 1
        own_class = np.searchsorted(classes, query_label[row])
        others = len(classes) - (own_class < len(classes) and classes[own_class] == query_label[row])
        if query_label[row] < 0 or others == 0:
            continue
        draw = mix64(seeds[row])
        class_index = int64(draw % np.uint64(others))
        before, tries = count, 0
        for _ in range(DRAWS * (num_negatives - count)):
            if count == num_negatives:
                break
            if count > before or tries == TRIES:
                before, tries = count, 0
                class_index = (class_index + 1) % others
            tries += 1
            class_number = class_index + (others < len(classes) and class_index >= own_class)
            draw = mix64(draw + np.uint64(GOLDEN))
            size = starts[class_number + 1] - starts[class_number]
            document = members[starts[class_number] + int64(draw % np.uint64(size))]
            cluster = masks.document_cluster[document]
            position = first_cluster[row] + np.searchsorted(clusters[first_cluster[row] : last_cluster[row]], cluster)
            if position < last_cluster[row] and clusters[position] == cluster:
                continue
            reason = masked_by(masks, row, document)
            counts[reason] += reason > 0
            if reason == 0 and not is_known(ids[row], count, masks.document_cluster, document):
                ids[row, count] = document
                count += 1
