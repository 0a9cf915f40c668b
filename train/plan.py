"""Which rows, negatives and embedding rank a step uses: a function of (seed, stage, step) and of nothing else.

Random numbers come from a counter-based generator keyed by the place they are used at, so a resumed run needs no
state: it asks for the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Draw(IntEnum):
    """What a random number is for; part of its key, so no two uses share a stream."""

    ROWS = 0
    ORDER = 1
    NEGATIVES = 2
    RANK = 3
    POOL = 4


def raw(draw: Draw, n: int, *place: int) -> NDArray[np.uint64]:
    """Return `n` random 64-bit integers of the stream that belongs to a place.

    Args:
        draw: what they are for.
        n: how many.
        place: up to four numbers, the seed first: (seed, stage, epoch or step, dataset).

    Philox's output is fixed by its definition; numpy's derived distributions are not, so none is used.
    """
    seed, *rest = place
    counter = [0, *rest, *[0] * (3 - len(rest))]
    key = np.array([seed, draw], np.uint64)
    values: NDArray[np.uint64] = np.random.Philox(key=key, counter=np.array(counter, np.uint64)).random_raw(n)
    return values


def permutation(draw: Draw, n: int, *place: int) -> Ints:
    """Return a random order of 0 … n-1 that belongs to a place."""
    return np.argsort(raw(draw, n, *place), kind="stable")


def choose_rank(ranks: Sequence[int], *place: int) -> int:
    """Draw one rank with probability proportional to it."""
    edges = np.cumsum(ranks)
    # 2^53 values, as a float has them: the remainder of a 64-bit draw would favour small ranks.
    share = float(raw(Draw.RANK, 1, *place)[0] >> np.uint64(11)) / 2**53
    return int(ranks[int(np.searchsorted(edges, share * edges[-1], side="right"))])


def choose_negatives(stored: Sequence[int], wanted: int, *place: int, per_sample: bool = True) -> tuple[Ints, Ints]:
    """Draw negatives without replacement for every sample of a step.

    Args:
        stored: negatives each sample has.
        wanted: negatives each sample should get.
        place: (seed, stage, step).
        per_sample: draw anew for each sample, not once for the step.

    Returns:
        Positions in each sample's own list (samples × most drawn, int64), and how many of them each sample has;
        the positions after that many are zero.

    """
    counts = np.asarray(stored, np.int64)
    width = int(counts.max(initial=0))
    draws = len(counts) if per_sample else 1
    keys = raw(Draw.NEGATIVES, draws * width, *place).reshape(draws, width)
    keys = np.broadcast_to(keys, (len(counts), width))
    absent = np.arange(width)[None, :] >= counts[:, None]
    order = np.lexsort((keys, absent), axis=-1)[:, : min(wanted, width)]
    taken = np.minimum(counts, order.shape[1])
    return np.where(np.arange(order.shape[1])[None, :] < taken[:, None], order, 0), taken


@dataclass(frozen=True)
class Plan:
    """The batches of one stage.

    Every epoch shuffles each dataset, cuts it into whole batches, and shuffles all (dataset, batch) pairs together:
    datasets stay mixed to the last step. Rows that fill no whole batch rest for the epoch, other ones each time;
    a dataset smaller than a batch gives one batch of all it has.

    Attributes:
        rows: for each dataset, its sample rows.
        batch_size: queries a step.
        seed: of the run.
        stage: index of the stage.

    """

    rows: tuple[Ints, ...]
    batch_size: int
    seed: int
    stage: int
    _orders: dict[int, tuple[int, Ints]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def batches(self) -> Ints:
        """Batches an epoch has of each dataset."""
        return np.array([max(len(rows) // self.batch_size, min(len(rows), 1)) for rows in self.rows], np.int64)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every dataset was gone through once."""
        return int(self.batches.sum())

    def step(self, step: int) -> tuple[int, Ints]:
        """Return the dataset and the sample rows (int64, in drawn order) of a step of the stage, from 0."""
        epoch, at = divmod(step, self.steps_per_epoch)
        pair = int(self._pairs(epoch)[at])
        ends = np.cumsum(self.batches)
        dataset = int(np.searchsorted(ends, pair, side="right"))
        batch = pair - int(ends[dataset] - self.batches[dataset])
        own = self.rows[dataset]
        order = self._order(dataset, epoch)
        return dataset, own[order[batch * self.batch_size : (batch + 1) * self.batch_size]]

    def _pairs(self, epoch: int) -> Ints:
        kept = self._orders.get(-1)
        if kept is None or kept[0] != epoch:
            order = permutation(Draw.ORDER, self.steps_per_epoch, self.seed, self.stage, epoch)
            kept = self._orders[-1] = (epoch, order)
        return kept[1]

    def _order(self, dataset: int, epoch: int) -> Ints:
        """Return a dataset's order in an epoch; the latest is kept, as most steps ask for it again."""
        kept = self._orders.get(dataset)
        if kept is None or kept[0] != epoch:
            order = permutation(Draw.ROWS, len(self.rows[dataset]), self.seed, self.stage, epoch, dataset)
            kept = self._orders[dataset] = (epoch, order)
        return kept[1]
