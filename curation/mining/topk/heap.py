"""Top-k heaps: the k best candidates of a stream, by higher score, then lower id. Compiled, one row at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from open_ml_embed.core.array_types import F32, I32
from open_ml_embed.core.compiled import njit


class Heaps(NamedTuple):
    """One binary heap for each row; the root, column 0, is the worst candidate in the heap.

    Attributes:
        scores: float32[n, k].
        ids: int32[n, k].
        held: int32[n], size of each heap.

    """

    scores: F32
    ids: I32
    held: I32


def empty_heaps(rows: int, k: int) -> Heaps:
    """Return empty heaps of capacity k: scores of -inf, ids of -1."""
    return Heaps(np.full((rows, k), -np.inf, np.float32), np.full((rows, k), -1, np.int32), np.zeros(rows, np.int32))


@njit(nogil=True)
def _sift_down(scores: F32, ids: I32, size: int, score: np.float32, number: int) -> None:
    """Put a candidate in the place of the root of a heap of `size` candidates."""
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


@njit(nogil=True)
def push(scores: F32, ids: I32, size: int, score: np.float32, number: int) -> int:
    """Offer one candidate to a heap and return the new size of the heap.

    Args:
        scores: float32[k], scores in the heap.
        ids: int32[k], their ids.
        size: number of candidates in the heap.
        score: of the new candidate.
        number: id of the new candidate.

    """
    if size == len(scores):
        if size == 0 or score < scores[0] or (score == scores[0] and number > ids[0]):
            return size
        _sift_down(scores, ids, size, score, number)
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


@njit(nogil=True)
def sort_heaps(scores: F32, ids: I32, held: I32) -> None:
    """Sort every row from best to worst, in place; empty slots stay at the end."""
    for row in range(len(held)):
        for last in range(held[row] - 1, 0, -1):
            score, number = scores[row, 0], ids[row, 0]
            moved_score, moved_id = scores[row, last], ids[row, last]
            _sift_down(scores[row], ids[row], last, moved_score, moved_id)
            scores[row, last], ids[row, last] = score, number
