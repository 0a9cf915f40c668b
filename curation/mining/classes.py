"""Negatives of the clustering family: members of other classes, balanced over the classes, seeded by row."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from curation.mining.retrieval import ORIGINS, Negatives
from curation.settings import MiningSettings
from curation.text.tokens import U64, mix64


def mine_classes(
    label: npt.NDArray[np.int64], document_exact: U64, row_key: U64, settings: MiningSettings
) -> Negatives:
    """Draw negatives for n rows.

    Args:
        label: int64[n], class numbers 0 … c - 1.
        document_exact: uint64[n], hash of each row's positive; a text that also stands in the query's class
            is never drawn for it.
        row_key: uint64[n], from the row id: the draw does not depend on the order of rows.
        settings: `keep` and `seed`.

    Each further negative comes from the next class of a cycle that starts, and steps, at random.
    """
    n = len(label)
    members = np.argsort(label, kind="stable").astype(np.int32)
    starts = np.searchsorted(label[members], np.arange((label.max() if n else -1) + 2))
    own = np.unique(np.stack([label.astype(np.uint64), document_exact], 1), axis=0)
    own_starts = np.searchsorted(own[:, 0], np.arange(len(starts)))
    rows = np.full((n, settings.keep), -1, np.int32)
    _draw(
        label,
        document_exact,
        row_key,
        members,
        starts,
        own[:, 1].copy(),
        own_starts,
        np.uint64(settings.seed),
        rows,
    )
    found = rows >= 0
    count = int(found.sum())
    return Negatives(
        rows[found],
        np.concatenate([[0], np.cumsum(found.sum(1))]),
        np.zeros(count, np.float32),
        np.full(count, ORIGINS.index("class"), np.int8),
        np.zeros(n, np.float32),
        np.full(n, -1, np.int32),
    )


@nb.njit(cache=True)
def _draw(label, exact, row_key, members, starts, own, own_starts, seed, rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    classes = len(starts) - 1
    if classes < 2:
        return
    golden = np.uint64(0x9E3779B97F4A7C15)
    for row in range(len(label)):
        draw = mix64(row_key[row] ^ mix64(seed))
        mine = label[row]
        first, last = own_starts[mine], own_starts[mine + 1]
        other = nb.int64(draw % np.uint64(classes - 1))
        taken = 0
        for _ in range(4 * rows.shape[1]):
            if taken == rows.shape[1]:
                break
            other = (other + 1) % (classes - 1)
            chosen = other + (other >= mine)
            draw = mix64(draw + golden)
            size = starts[chosen + 1] - starts[chosen]
            candidate = members[starts[chosen] + nb.int64(draw % np.uint64(size))]
            place = first + np.searchsorted(own[first:last], exact[candidate])
            known = place < last and own[place] == exact[candidate]
            for i in range(taken):
                known = known or exact[rows[row, i]] == exact[candidate]
            if not known:
                rows[row, taken] = candidate
                taken += 1
