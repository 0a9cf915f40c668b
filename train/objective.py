"""The 3D-ML objective over layers × prefix dimensions, computed by blocks of dimensions.

Prefixes are nested, so scores and norms of a prefix are those of the prefix before plus one block: every dimension
is multiplied once, and all prefixes and layers share the softmax. Shape suffixes: L layers, M prefixes, B queries,
N documents, C columns, K negatives, J = 1 + K, D one block of dimensions, H hidden size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from train.batch import Targets
from train.presets import Preset

EPSILON = 1e-12


@dataclass(frozen=True)
class Loss:
    """The objective and its parts.

    Attributes:
        total: scalar with gradient.
        hard_LM: the hard-negative term of every layer and prefix (prefixes ascending), detached, unweighted.
        in_batch_LM: the in-batch term, detached, unweighted; zeros where the family has none.

    """

    total: Tensor
    hard_LM: Tensor
    in_batch_LM: Tensor


def dim_weights(dims: Sequence[int]) -> list[float]:
    """Return the weight of each prefix, ascending: 1 / (k · sqrt(h / d)), k = 1 for the largest.

    >>> [round(w, 4) for w in dim_weights([8, 16, 32])]
    [0.1667, 0.3536, 1.0]

    """
    return [1 / ((len(dims) - i) * math.sqrt(dims[-1] / d)) for i, d in enumerate(dims)]


def objective(
    queries_LBH: Tensor,
    documents_LNH: Tensor,
    targets: Targets,
    *,
    dims: Sequence[int],
    temperature: float,
    preset: Preset,
) -> Loss:
    """Compute the 3D-ML loss of one step.

    Args:
        queries_LBH: pooled, normed, not L2-normalised states of every trained layer.
        documents_LNH: the same of the step's distinct documents.
        targets: who is scored against whom.
        dims: prefix dimensions, ascending, the last being H.
        temperature: scores are divided by it.
        preset: precision, and whether gradient flows into the columns.

    Returns:
        The loss: the mean over layers of the weighted sum over prefixes, each term a mean over queries.

    """
    least = getattr(torch, preset.loss_dtype)
    dtype = torch.float64 if queries_LBH.dtype == torch.float64 else least
    queries_LBH, documents_LNH = queries_LBH.to(dtype), documents_LNH.to(dtype)
    q_norms_MLB, d_norms_MLN = _norms(queries_LBH, dims), _norms(documents_LNH, dims)

    own_BJ = torch.cat([targets.positive_B[:, None], targets.negatives_BK], dim=1)
    own_LBJH = documents_LNH.index_select(1, own_BJ.flatten())
    own_LBJH = own_LBJH.view(len(own_LBJH), *own_BJ.shape, -1)
    hard_MLBJ = _prefix_sums([(q[:, :, None] * d).sum(-1) for q, d in _blocks(queries_LBH, own_LBJH, dims)])
    hard_MLBJ = hard_MLBJ / (q_norms_MLB[..., None] * d_norms_MLN[:, :, own_BJ] * temperature)
    first = torch.zeros_like(targets.positive_B)
    hard_LM = _cross_entropy(hard_MLBJ, first, functional.pad(targets.negatives_mask_BK, (1, 0), value=True)).T

    in_batch_LM = torch.zeros_like(hard_LM)
    if targets.in_batch:
        columns_LCH = documents_LNH.index_select(1, targets.columns_C)
        c_norms_MLC = d_norms_MLN[:, :, targets.columns_C]
        if not preset.exact_columns:
            columns_LCH, c_norms_MLC = columns_LCH.detach(), c_norms_MLC.detach()
        scores_MLBC = _prefix_sums([q @ c.transpose(1, 2) for q, c in _blocks(queries_LBH, columns_LCH, dims)])
        scores_MLBC = scores_MLBC / (q_norms_MLB[..., None] * c_norms_MLC[:, :, None] * temperature)
        mask_BC = targets.columns_mask_BC.scatter(1, targets.column_B[:, None], value=True)
        in_batch_LM = _cross_entropy(scores_MLBC, targets.column_B, mask_BC).T

    weights_M = torch.tensor(dim_weights(dims), dtype=hard_LM.dtype, device=hard_LM.device)
    total = ((hard_LM + in_batch_LM) * weights_M).sum(1).mean()
    return Loss(total, hard_LM.detach(), in_batch_LM.detach())


def _blocks(left: Tensor, right: Tensor, dims: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    edges = [0, *dims]
    return [(left[..., a:b], right[..., a:b]) for a, b in itertools.pairwise(edges)]


def _prefix_sums(blocks: list[Tensor]) -> Tensor:
    return torch.stack(blocks).cumsum(0)


def _norms(states: Tensor, dims: Sequence[int]) -> Tensor:
    """Return the length of every prefix of every vector, prefixes first; never zero."""
    squares = _prefix_sums([left.square().sum(-1) for left, _ in _blocks(states, states, dims)])
    return squares.clamp_min(EPSILON**2).sqrt()


def _cross_entropy(scores: Tensor, target_B: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over queries of -log softmax at the target, over what the mask admits (… × B × columns)."""
    scores = scores.masked_fill(~mask, float("-inf"))
    own = scores.gather(-1, target_B[:, None].expand(*scores.shape[:-1], 1)).squeeze(-1)
    return (scores.logsumexp(-1) - own).mean(-1)
