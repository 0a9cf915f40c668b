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


@njit(nogil=True)
def sort_heaps(scores: F32, ids: I32, held: I32) -> None:
    """Sort every row from best to worst, in place; empty slots stay at the end."""
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
