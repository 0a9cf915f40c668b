"""Which rows, negatives and embedding rank a step uses: a function of (seed, stage, step) and of nothing else.

Random numbers come from a counter-based generator keyed by the place they are used at, so a resumed run needs no
state: it asks for the next step. Orders are computed where they are asked for, so no step reads or makes anything of
the mix's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Protocol

import numpy as np

from open_ml_embed.core.array_types import I64, U64
from open_ml_embed.core.splitmix import mixed

ROUNDS = 32


class Draw(IntEnum):
    """What a random number is for; part of its key, so no two uses share a stream."""

    ROWS = 0
    ORDER = 1
    NEGATIVES = 2
    RANK = 3
    POOL = 4
    DROPOUT = 5


def raw(draw: Draw, n: int, *place: int) -> U64:
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
    values: U64 = np.random.Philox(key=key, counter=np.array(counter, np.uint64)).random_raw(n)
    return values


def shuffled(draw: Draw, n: int, at: I64, *place: int) -> I64:
    """Return where positions of 0 … n-1 go in the random order that belongs to a place; nothing of size n is made.

    Swap-or-not (Hoang, Morris and Rogaway, CRYPTO 2012): each round pairs x with pivot - x modulo n, and a random bit
    of the pair says whether the two change places. It is a permutation whatever the bits are and whatever n is.

    Args:
        draw: what the order is for.
        n: how many are shuffled.
        at: some of 0 … n-1.
        place: as for `raw`.

    """
    drawn = raw(draw, 2 * ROUNDS, *place)
    size, x = np.uint64(n), np.asarray(at).astype(np.uint64)
    for pivot, salt in zip(drawn[:ROUNDS] % size, drawn[ROUNDS:], strict=True):
        partner = np.where(x <= pivot, pivot - x, pivot + size - x)
        x = np.where(mixed(np.maximum(x, partner) ^ salt) >> np.uint64(63), partner, x)
    return x.astype(np.int64)


def choose_rank(ranks: Sequence[int], *place: int) -> int:
    """Draw one rank with probability proportional to it."""
    edges = np.cumsum(ranks)
    # 2^53 values, as a float has them: the remainder of a 64-bit draw would favor small ranks.
    share = float(raw(Draw.RANK, 1, *place)[0] >> np.uint64(11)) / 2**53
    return int(ranks[int(np.searchsorted(edges, share * edges[-1], side="right"))])


def choose_negatives(stored: Sequence[int], wanted: int, *place: int, per_sample: bool = True) -> tuple[I64, I64]:
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


class Rows(Protocol):
    """The rows of a dataset, by position: an array, or something that takes no room."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, at: I64) -> I64:
        """Return the rows at some positions."""
        ...


@dataclass(frozen=True)
class Plan:
    """The batches of one stage.

    Every epoch shuffles each dataset, cuts it into whole batches, and shuffles all (dataset, batch) pairs together:
    datasets stay mixed to the last step. Rows that fill no whole batch rest for the epoch, other ones each time;
    a dataset smaller than a batch gives one batch of all it has. A step costs the same whatever the sizes are.

    Attributes:
        rows: for each dataset, its sample rows.
        batch_size: queries a step.
        seed: of the run.
        stage: index of the stage.

    """

    rows: Sequence[Rows]
    batch_size: int
    seed: int
    stage: int

    @cached_property
    def batches(self) -> I64:
        """Batches an epoch has of each dataset."""
        return np.array([max(len(rows) // self.batch_size, min(len(rows), 1)) for rows in self.rows], np.int64)

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every dataset was gone through once."""
        return int(self.batches.sum())

    def step(self, step: int) -> tuple[int, I64]:
        """Return the dataset and the sample rows (int64, in drawn order) of a step of the stage, from 0."""
        epoch, at = divmod(step, self.steps_per_epoch)
        pair = int(shuffled(Draw.ORDER, self.steps_per_epoch, np.array([at]), self.seed, self.stage, epoch)[0])
        ends = np.cumsum(self.batches)
        dataset = int(np.searchsorted(ends, pair, side="right"))
        first = (pair - int(ends[dataset] - self.batches[dataset])) * self.batch_size
        own = self.rows[dataset]
        at_own = np.arange(first, min(first + self.batch_size, len(own)))
        return dataset, own[shuffled(Draw.ROWS, len(own), at_own, self.seed, self.stage, epoch, dataset)]
