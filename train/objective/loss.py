"""The 3D-ML objective over layers × prefix dimensions, computed by blocks of dimensions.

Prefixes are nested, so scores and norms of a prefix are those of the prefix before plus one block: every dimension
is multiplied once, and all prefixes and layers share the softmax. Nothing loops over layers or queries, so a step
takes the same few kernels whatever their number.

Shape suffixes: L layers, M prefixes, Q queries of the step, B of them scored here, N documents, C in-batch columns,
K negatives, J = 1 + K, H hidden size, W the teacher's width.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from train.data.batch import Targets
from train.model.presets import Form

EPSILON = 1e-12


@dataclass(frozen=True)
class Loss:
    """The objective and its parts: those of the queries scored here, so that processes' parts add up.

    Attributes:
        total: scalar with gradient.
        hard_LM: the hard-negative term of every layer and prefix (prefixes ascending), detached, unweighted.
        in_batch_LM: the in-batch term, detached, unweighted; zeros where the family has none.
        distilled_LM: the teacher's term, detached, unweighted; zeros without a teacher.

    """

    total: Tensor
    hard_LM: Tensor
    in_batch_LM: Tensor
    distilled_LM: Tensor


class Taught(NamedTuple):
    """A teacher's vectors of the step's texts."""

    queries_QW: Tensor
    documents_NW: Tensor


class _Side(NamedTuple):
    """Some texts' states and the lengths of all their prefixes."""

    states_LNH: Tensor
    norms_MLN: Tensor

    def at(self, rows: Tensor) -> _Side:
        return _Side(self.states_LNH.index_select(1, rows), self.norms_MLN.index_select(2, rows))

    def detached(self) -> _Side:
        return _Side(self.states_LNH.detach(), self.norms_MLN.detach())


def objective(
    queries_LQH: Tensor, documents_LNH: Tensor, targets: Targets, form: Form, taught: Taught | None = None
) -> Loss:
    """Compute the 3D-ML loss of one step, or one process's share of it.

    Args:
        queries_LQH: pooled, normed, not L2-normalized states of every trained layer.
        documents_LNH: the same of the step's distinct documents.
        targets: who is scored against whom.
        form: of the objective.
        taught: the teacher's vectors, where the form has a teacher.

    Returns:
        The loss: the weighted mean over layers of the weighted sum over prefixes, each term a mean over queries.

    """
    wide = torch.promote_types(queries_LQH.dtype, torch.float32)
    queries, documents = (_side(states.to(wide), form.dims) for states in (queries_LQH, documents_LNH))
    # In full precision everything is; only the preset's own scores are rounded.
    dtype = wide if form.preset.loss_dtype == "float32" or wide == torch.float64 else torch.bfloat16
    asked, share = queries.at(targets.query_B), 1 / queries_LQH.shape[1]

    hard_MLBJ = (_own_scores(asked, documents, _own(targets), form.dims) / form.temperature).to(dtype)
    mask_BJ = functional.pad(targets.negatives_mask_BK, (1, 0), value=True)
    hard_LM = _cross_entropy(hard_MLBJ, mask_BJ, torch.zeros_like(targets.positive_B)).sum(-1).T * share

    in_batch_LM = torch.zeros_like(hard_LM)
    columns_MLBC = None
    if targets.in_batch:
        columns = documents.at(targets.columns_C)
        if not form.preset.exact_columns:
            columns = columns.detached()
        columns_MLBC = _scores(asked, columns, form.dims) / form.temperature
        in_batch_LM = _in_batch(asked, queries, columns, columns_MLBC, targets, form, dtype).sum(-1).T * share

    distilled_LM = torch.zeros_like(hard_LM)
    if form.distillation is not None:
        assert taught is not None
        if form.distillation.on == "scores":
            distilled_LM = _follow_scores(hard_MLBJ, columns_MLBC, targets, taught, form.distillation.temperature)
            distilled_LM = distilled_LM.T * share
        else:
            distilled_LM = _follow_vectors(queries, documents, targets, taught, form.dims)

    terms_LM = hard_LM + in_batch_LM
    if form.distillation is not None:
        terms_LM = terms_LM + form.distillation.weight * distilled_LM
    dim_weights_M = terms_LM.new_tensor(form.dim_weights)
    total = (terms_LM * dim_weights_M).sum(1) @ terms_LM.new_tensor(form.layer_weights)
    return Loss(total, hard_LM.detach(), in_batch_LM.detach(), distilled_LM.detach())


def _in_batch(
    asked: _Side,
    queries: _Side,
    columns: _Side,
    columns_MLBC: Tensor,
    targets: Targets,
    form: Form,
    dtype: torch.dtype,
) -> Tensor:
    """Return the in-batch term of every query (M × L × B)."""
    own_BC = functional.one_hot(targets.column_B, len(targets.columns_C)).bool()
    among = [(columns_MLBC, targets.columns_mask_BC | own_BC)]
    if form.same_side:
        among.append((_scores(asked, queries, form.dims) / form.temperature, targets.queries_mask_BQ))
    forth = _cross_entropy(*_side_by_side(among, dtype), targets.column_B)
    if not form.bidirectional:
        return forth
    answers = columns.at(targets.column_B)
    own_BQ = functional.one_hot(targets.query_B, targets.queries_mask_BQ.shape[1]).bool()
    among = [(_scores(answers, queries, form.dims) / form.temperature, targets.queries_mask_BQ | own_BQ)]
    if form.same_side:
        among.append((_scores(answers, columns, form.dims) / form.temperature, targets.columns_mask_BC))
    return (forth + _cross_entropy(*_side_by_side(among, dtype), targets.query_B)) / 2


def _follow_scores(
    hard_MLBJ: Tensor, columns_MLBC: Tensor | None, targets: Targets, taught: Taught, temperature: float
) -> Tensor:
    """Return the divergence of the teacher's distribution from the model's, summed over queries (M × L).

    Over a query's own candidates, and over its columns where there is an in-batch term: the softmaxes of the model's
    own loss.
    """
    queries_QW, documents_NW = (functional.normalize(t.to(hard_MLBJ.dtype), dim=-1) for t in taught)
    asked_BW = queries_QW.index_select(0, targets.query_B)
    own_BJ = _own(targets)
    own_BJW = documents_NW[own_BJ]
    hard_BJ = torch.einsum("bw,bjw->bj", asked_BW, own_BJW) / temperature
    mask_BJ = functional.pad(targets.negatives_mask_BK, (1, 0), value=True)
    total = _divergence(hard_BJ, hard_MLBJ, mask_BJ)
    if columns_MLBC is not None:
        columns_BC = asked_BW @ documents_NW.index_select(0, targets.columns_C).T / temperature
        own_BC = functional.one_hot(targets.column_B, len(targets.columns_C)).bool()
        total = total + _divergence(columns_BC, columns_MLBC, targets.columns_mask_BC | own_BC)
    return total


def _follow_vectors(queries: _Side, documents: _Side, targets: Targets, taught: Taught, dims: Sequence[int]) -> Tensor:
    """Return one minus the cosine to the teacher's vectors, every text once, prefix by prefix (L × M).

    A prefix of the model follows the same prefix of the teacher; those wider than the teacher have nothing to follow.
    """
    texts = sum(len(vectors) for vectors in taught)
    total = queries.norms_MLN.new_zeros(queries.norms_MLN.shape[:2])
    for side, vectors, rows in (
        (queries, taught.queries_QW, targets.query_B),
        (documents, taught.documents_NW, targets.document_D),
    ):
        own, wide = side.at(rows), min(dims[-1], vectors.shape[1])
        vectors_NH = functional.pad(vectors[rows, :wide].to(own.states_LNH.dtype), (0, dims[-1] - wide))
        teacher = _side(vectors_NH[None], dims)
        cosines_LNM = own.states_LNH * teacher.states_LNH @ _prefixes(dims, own.states_LNH)
        cosines_MLN = cosines_LNM.movedim(-1, 0) / (own.norms_MLN * teacher.norms_MLN)
        total = total + (1 - cosines_MLN).sum(-1)
    within_M = torch.tensor([dim <= taught.queries_QW.shape[1] for dim in dims], device=total.device)
    return (total * within_M[:, None]).T / texts


def _own(targets: Targets) -> Tensor:
    """Return each query's own candidates, its positive first (B × J)."""
    return torch.cat([targets.positive_B[:, None], targets.negatives_BK], dim=1)


def _side(states_LNH: Tensor, dims: Sequence[int]) -> _Side:
    squares_MLN = (states_LNH.square() @ _prefixes(dims, states_LNH)).movedim(-1, 0)
    return _Side(states_LNH, squares_MLN.clamp_min(EPSILON**2).sqrt())


def _prefixes(dims: Sequence[int], like: Tensor) -> Tensor:
    """Return H × M, 1 where a dimension belongs to a prefix: a product with it is the sums over all prefixes."""
    ends_M = torch.tensor(dims, device=like.device)
    return (torch.arange(dims[-1], device=like.device)[:, None] < ends_M).to(like.dtype)


def _own_scores(asked: _Side, documents: _Side, own_BJ: Tensor, dims: Sequence[int]) -> Tensor:
    """Return the cosines of every query and its own candidates (M × L × B × J)."""
    own = documents.at(own_BJ.flatten())
    own_LBJH = own.states_LNH.view(len(asked.states_LNH), *own_BJ.shape, dims[-1])
    products_LBJM = (asked.states_LNH[:, :, None] * own_LBJH) @ _prefixes(dims, own_LBJH)
    norms_MLBJ = asked.norms_MLN[..., None] * own.norms_MLN.view(len(dims), len(asked.states_LNH), *own_BJ.shape)
    return products_LBJM.movedim(-1, 0) / norms_MLBJ


def _scores(left: _Side, right: _Side, dims: Sequence[int]) -> Tensor:
    """Return the cosines of all of one side and all of the other (M × L × B × C)."""
    # Sums go on from block to block; `cumsum` has no deterministic kernel on CUDA.
    sums: list[Tensor] = []
    for first, last in itertools.pairwise((0, *dims)):
        blocks = left.states_LNH[..., first:last], right.states_LNH[..., first:last].transpose(1, 2)
        sums.append(torch.baddbmm(sums[-1], *blocks) if sums else torch.bmm(*blocks))
    return torch.stack(sums) / (left.norms_MLN[..., None] * right.norms_MLN[:, :, None])


def _side_by_side(among: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return scores (M × L × B × all candidates) and mask of several kinds of candidates."""
    return torch.cat([scores.to(dtype) for scores, _ in among], -1), torch.cat([mask for _, mask in among], -1)


def _cross_entropy(scores_MLBX: Tensor, mask_BX: Tensor, target_B: Tensor) -> Tensor:
    """Return -log softmax at the target, over what the mask admits (M × L × B)."""
    own_MLB1 = scores_MLBX.gather(-1, target_B[:, None].expand(*scores_MLBX.shape[:-1], 1))
    return scores_MLBX.masked_fill(~mask_BX, float("-inf")).logsumexp(-1) - own_MLB1.squeeze(-1)


def _divergence(teacher_BX: Tensor, scores_MLBX: Tensor, mask_BX: Tensor) -> Tensor:
    """Return the sum over queries of the divergence of the softmax of the scores from the teacher's (M × L)."""
    teacher_BX = teacher_BX.masked_fill(~mask_BX, float("-inf")).log_softmax(-1).masked_fill(~mask_BX, 0.0)
    student_MLBX = scores_MLBX.masked_fill(~mask_BX, float("-inf")).log_softmax(-1).masked_fill(~mask_BX, 0.0)
    return (teacher_BX.exp() * mask_BX * (teacher_BX - student_MLBX)).sum((-1, -2))
