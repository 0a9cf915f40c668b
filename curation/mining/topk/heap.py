"""The k best of a stream, kept in a binary heap: higher score first, then the lower id. Compiled, one row at a time."""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]


class Heaps(NamedTuple):
    """One heap a row; the root, column 0, is the worst of those held.

    Attributes:
        scores: float32[n, k].
        ids: int32[n, k].
        held: int32[n], how many places of the row are taken.

    """

    scores: F32
    ids: I32
    held: I32


def empty_heaps(rows: int, k: int) -> Heaps:
    """Return heaps that hold nothing: scores of -inf, ids of -1."""
    return Heaps(np.full((rows, k), -np.inf, np.float32), np.full((rows, k), -1, np.int32), np.zeros(rows, np.int32))


@nb.njit(cache=True, nogil=True)
def push(scores, ids, size, score, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Offer one candidate to a heap (float32[k], int32[k]) that holds `size`; return how many it holds now."""
    if size == len(scores):
        if size == 0 or score < scores[0] or (score == scores[0] and number > ids[0]):
            return size
        i = 0
        while True:
            child = 2 * i + 1
            if child >= size:
                break
            other = child + 1
            if other < size and (
                scores[other] < scores[child] or (scores[other] == scores[child] and ids[other] > ids[child])
            ):
                child = other
            if scores[child] < score or (scores[child] == score and ids[child] > number):
                scores[i], ids[i] = scores[child], ids[child]
                i = child
            else:
                break
        scores[i], ids[i] = score, number
        return size
    i = size
    while i > 0:
        parent = (i - 1) // 2
        if scores[parent] > score or (scores[parent] == score and ids[parent] < number):
            scores[i], ids[i] = scores[parent], ids[parent]
            i = parent
        else:
            break
    scores[i], ids[i] = score, number
    return size + 1


@nb.njit(cache=True, nogil=True)
def sort_heaps(scores, ids, held):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Order every row from best to worst, in place; what is not held stays at the end."""
    for row in range(len(held)):
        for last in range(held[row] - 1, 0, -1):
            score, number = scores[row, 0], ids[row, 0]
            moved_score, moved_id = scores[row, last], ids[row, last]
            i = 0
            while True:
                child = 2 * i + 1
                if child >= last:
                    break
                other = child + 1
                if other < last and (
                    scores[row, other] < scores[row, child]
                    or (scores[row, other] == scores[row, child] and ids[row, other] > ids[row, child])
                ):
                    child = other
                if scores[row, child] < moved_score or (
                    scores[row, child] == moved_score and ids[row, child] > moved_id
                ):
                    scores[row, i], ids[row, i] = scores[row, child], ids[row, child]
                    i = child
                else:
                    break
            scores[row, i], ids[row, i] = moved_score, moved_id
            scores[row, last], ids[row, last] = score, number
