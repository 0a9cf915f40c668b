"""How many batches of an epoch each dataset gets: by its size, or by weights and a sampling temperature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from open_ml_embed.core.array_types import I64
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from train.config import Sampling
from train.data.mix import Dataset


def check_names(sampling: Sampling, datasets: Iterable[Dataset], where: str) -> None:
    """Raise an error if a weight is for a dataset that the mix does not have.

    Raises:
        UnknownNameError: it is.

    """
    known = {name for dataset in datasets for name in (dataset.source, dataset.name)}
    for name in sampling.weights:
        if name not in known:
            raise UnknownNameError("dataset", name, known, where=f"{where}: sampling.weights")


def batches_of(sampling: Sampling, datasets: Sequence[Dataset], own: I64) -> I64:
    """Return the number of batches that each dataset has in an epoch.

    The epoch keeps its length. The share of a dataset is its weight times the `1 / temperature` power of its number of
    batches. Shares are rounded by largest remainder, but every dataset with a positive weight has at least one batch.

    Args:
        sampling: weights and temperature.
        datasets: the datasets.
        own: number of batches that each dataset's rows make (int64).

    Raises:
        SettingsError: all datasets have the weight 0.

    """
    if sampling == Sampling():
        return own
    weights = np.array([_weight(sampling, dataset) for dataset in datasets])
    shares = np.where(own > 0, weights * own.astype(np.float64) ** (1 / sampling.temperature), 0.0)
    total = int(own.sum())
    if not shares.any():
        raise SettingsError(
            "every dataset has the weight 0", where="sampling.weights", remedy="give one of them a weight"
        )
    exact = shares / shares.sum() * total
    counts: I64 = np.maximum(np.floor(exact), shares > 0).astype(np.int64)
    # Largest remainder first; in case of a tie, the first dataset.
    order = np.argsort(-(exact - np.floor(exact)), kind="stable")
    order = order[shares[order] > 0]
    missing = max(0, total - int(counts.sum()))
    np.add.at(counts, np.resize(order, missing), 1)
    return counts


def _weight(sampling: Sampling, dataset: Dataset) -> float:
    return sampling.weights.get(dataset.name, sampling.weights.get(dataset.source, 1.0))
