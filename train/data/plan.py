"""Which rows, negatives and embedding rank a step uses, as a pure function of (seed, stage, step).

Random numbers come from a counter-based generator (Philox), keyed by seed, purpose, stage and step. So a run that
resumes restores no generator state. Orders are computed for single positions, so a step never builds an array of the
size of the mix.
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
    """The purpose of a random number. It is part of the key, so that no two purposes share a stream."""

    ROWS = 0
    ORDER = 1
    NEGATIVES = 2
    RANK = 3
    POOL = 4
    DROPOUT = 5


def raw(draw: Draw, n: int, *stream: int) -> U64:
    """Return the first `n` random 64-bit integers of a stream (uint64).

    The raw output of Philox is fixed by its definition. numpy's distributions may change, so none of them is used.

    Args:
        draw: purpose of the numbers.
        n: how many.
        stream: one to four numbers, the seed first: (seed, stage, epoch or step, dataset).

    """
    seed, *rest = stream
    counter = [0, *rest, *[0] * (3 - len(rest))]
    key = np.array([seed, draw], np.uint64)
    values: U64 = np.random.Philox(key=key, counter=np.array(counter, np.uint64)).random_raw(n)
    return values


def shuffled(draw: Draw, n: int, at: I64, *stream: int) -> I64:
    """Return where positions of 0 … n-1 land in a random permutation, without building the permutation.

    Swap-or-not shuffle (Hoang, Morris and Rogaway, CRYPTO 2012): each round pairs x with pivot - x modulo n, and a
    random bit of the pair decides whether the two are swapped. The result is a permutation for every n and all bits.

    Args:
        draw: purpose of the permutation.
        n: size of the permutation.
        at: positions in 0 … n-1.
        stream: see `raw`.

    Returns:
        int64, the new position of each of `at`.

    """
    drawn = raw(draw, 2 * ROUNDS, *stream)
    size, x = np.uint64(n), np.asarray(at).astype(np.uint64)
    for pivot, salt in zip(drawn[:ROUNDS] % size, drawn[ROUNDS:], strict=True):
        partner = np.where(x <= pivot, pivot - x, pivot + size - x)
        x = np.where(mixed(np.maximum(x, partner) ^ salt) >> np.uint64(63), partner, x)
    return x.astype(np.int64)


def choose_rank(ranks: Sequence[int], *stream: int) -> int:
    """Draw one of the ranks, with probability proportional to the rank; `stream` as for `raw`."""
    edges = np.cumsum(ranks)
    # 53 random bits fit a float exactly; the remainder of a 64-bit integer would favor small ranks.
    share = float(raw(Draw.RANK, 1, *stream)[0] >> np.uint64(11)) / 2**53
    return int(ranks[int(np.searchsorted(edges, share * edges[-1], side="right"))])


def choose_negatives(stored: Sequence[int], wanted: int, *stream: int, per_sample: bool = True) -> tuple[I64, I64]:
    """Draw negatives for every sample of a step, without replacement.

    Args:
        stored: number of negatives that each sample has.
        wanted: number of negatives that each sample should get.
        stream: (seed, stage, step).
        per_sample: draw positions for each sample; otherwise one draw serves all samples.

    Returns:
        Positions in each sample's list of negatives (int64, samples × most drawn), and the number drawn for each sample
        (int64); positions beyond that number are zero.

    """
    counts = np.asarray(stored, np.int64)
    width = int(counts.max(initial=0))
    draws = len(counts) if per_sample else 1
    keys = raw(Draw.NEGATIVES, draws * width, *stream).reshape(draws, width)
    keys = np.broadcast_to(keys, (len(counts), width))
    absent = np.arange(width)[None, :] >= counts[:, None]
    order = np.lexsort((keys, absent), axis=-1)[:, : min(wanted, width)]
    drawn = np.minimum(counts, order.shape[1])
    return np.where(np.arange(order.shape[1])[None, :] < drawn[:, None], order, 0), drawn


class Rows(Protocol):
    """Row numbers of a dataset by position: an array, or an object that computes them."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __getitem__(self, at: I64) -> I64:
        """Return the row numbers at positions."""
        ...


@dataclass(frozen=True)
class Plan:
    """The batches of one stage.

    Every epoch shuffles each dataset, cuts it into batches of that dataset, and shuffles the batches of all datasets
    together. So datasets stay mixed until the last step, and every row is trained on once an epoch. The batches of a
    dataset have equal sizes, or sizes that differ by one: 1,025 rows are three batches of 342, 342 and 341 at 512 a
    batch, so that no batch is a single query without in-batch negatives. The cost of a step does not depend on the
    sizes of the datasets.

    Attributes:
        rows: the sample rows of each dataset.
        batch_size: maximum number of queries per step.
        seed: seed of the run.
        stage: index of the stage, from 0.
        chosen: number of batches of each dataset in an epoch (int64), where it is not that of its rows
            (`train.data.shares`). A dataset then goes through its rows at its own pace. None: all rows, once.

    """

    rows: Sequence[Rows]
    batch_size: int
    seed: int
    stage: int
    chosen: I64 | None = None

    @cached_property
    def batches(self) -> I64:
        """Number of batches of each dataset in an epoch (int64)."""
        return self.own if self.chosen is None else self.chosen

    @cached_property
    def own(self) -> I64:
        """Number of batches that the rows of each dataset make (int64)."""
        return np.array([-(-len(rows) // self.batch_size) for rows in self.rows], np.int64)

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps of an epoch."""
        return int(self.batches.sum())

    def step(self, step: int) -> tuple[int, I64]:
        """Return the dataset and the sample rows (int64, in drawn order) of a step of the stage; steps count from 0."""
        epoch, at = divmod(step, self.steps_per_epoch)
        pair = int(shuffled(Draw.ORDER, self.steps_per_epoch, np.array([at]), self.seed, self.stage, epoch)[0])
        ends = np.cumsum(self.batches)
        dataset = int(np.searchsorted(ends, pair, side="right"))
        batches, rows = int(self.own[dataset]), self.rows[dataset]
        among = pair - int(ends[dataset]) + int(self.batches[dataset])
        # The passes over the dataset's own rows, which are the epochs unless another number of batches was chosen.
        epoch, batch = divmod(epoch * int(self.batches[dataset]) + among, batches)
        positions = np.arange(len(rows) * batch // batches, len(rows) * (batch + 1) // batches)
        return dataset, rows[shuffled(Draw.ROWS, len(rows), positions, self.seed, self.stage, epoch, dataset)]
