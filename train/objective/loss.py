"""The 3D-ML objective over layers × prefix dimensions, computed by blocks of dimensions.

Prefixes are nested: the scores and norms of a prefix are those of the previous prefix plus one block. So every
dimension is multiplied once, and all prefixes and layers share the softmax. Nothing loops over layers or queries, so
the number of kernels of a step does not depend on their number.

Shape suffixes: L layers, M prefixes, Q queries of the step, B of them scored here, N documents, C in-batch columns,
K negatives, J = 1 + K, H hidden size, W width of the teacher, X candidates of a softmax.
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
    """The loss and its terms for the queries scored here; the losses of all processes add up to that of the step.

    Attributes:
        total: scalar with gradient.
        hard_LM: the hard-negative term of every layer and prefix (prefixes ascending), detached and unweighted.
        in_batch_LM: the in-batch term, detached and unweighted; zeros for families without one.
        distilled_LM: the distillation term, detached and unweighted; zeros without a teacher.

    """

    total: Tensor
    hard_LM: Tensor
    in_batch_LM: Tensor
    distilled_LM: Tensor


class Taught(NamedTuple):
    """A teacher's vectors for the texts of a step, float32."""

    queries_QW: Tensor
    documents_NW: Tensor

    def to(self, device: torch.device) -> Taught:
        """Return the vectors on a device; from pinned memory without waiting for the copy."""
        return Taught(*(vectors.to(device, non_blocking=vectors.is_pinned()) for vectors in self))

    def pinned(self) -> Taught:
        """Return the vectors in memory that a GPU can copy from by itself."""
        return Taught(*(vectors.pin_memory() for vectors in self))


class TaughtStates(NamedTuple):
    """A teacher's states for the texts of a step, cut to the student's width, float32, not of unit length.

    Depth i of the teacher's is what depth i of the student's follows.
    """

    queries_LQH: Tensor
    documents_LNH: Tensor

    def to(self, device: torch.device) -> TaughtStates:
        """Return the states on a device; from pinned memory without waiting for the copy."""
        return TaughtStates(*(states.to(device, non_blocking=states.is_pinned()) for states in self))

    def pinned(self) -> TaughtStates:
        """Return the states in memory that a GPU can copy from by itself."""
        return TaughtStates(*(states.pin_memory() for states in self))


class _Side(NamedTuple):
    """States of texts and the L2 norms of all their prefixes."""

    states_LNH: Tensor
    norms_MLN: Tensor

    def at(self, rows: Tensor) -> _Side:
        return _Side(self.states_LNH.index_select(1, rows), self.norms_MLN.index_select(2, rows))

    def detached(self) -> _Side:
        return _Side(self.states_LNH.detach(), self.norms_MLN.detach())


def objective(
    queries_LQH: Tensor,
    documents_LNH: Tensor,
    targets: Targets,
    form: Form,
    taught: Taught | TaughtStates | None = None,
) -> Loss:
    """Compute the 3D-ML loss of one step, or one process's share of it.

    Args:
        queries_LQH: pooled states of every trained layer after the final norm, not L2-normalized.
        documents_LNH: the same for the distinct documents of the step.
        targets: which texts are scored against which.
        form: parameters of the objective.
        taught: the teacher's vectors or states; required if the form has a teacher.

    Returns:
        The loss: the weighted mean over layers of the weighted sum over prefixes, each term a mean over queries. States
        are followed at full width only; their term is not weighted by prefix.

    """
    wide = torch.promote_types(queries_LQH.dtype, torch.float32)
    queries, documents = (_side(states.to(wide), form.dims) for states in (queries_LQH, documents_LNH))
    # Float64 states keep everything in float64; otherwise only a bfloat16 preset rounds the scores.
    dtype = wide if form.preset.loss_dtype == "float32" or wide == torch.float64 else torch.bfloat16
    scored, share = queries.at(targets.query_B), 1 / queries_LQH.shape[1]

    hard_MLBJ = (_candidate_scores(scored, documents, _candidates(targets), form.dims) / form.temperature).to(dtype)
    mask_BJ = functional.pad(targets.negatives_mask_BK, (1, 0), value=True)
    hard_LM = _cross_entropy(hard_MLBJ, mask_BJ, torch.zeros_like(targets.positive_B)).sum(-1).T * share

    in_batch_LM = torch.zeros_like(hard_LM)
    columns_MLBC = None
    if targets.in_batch:
        columns = documents.at(targets.columns_C)
        if not form.preset.exact_columns:
            columns = columns.detached()
        columns_MLBC = _scores(scored, columns, form.dims) / form.temperature
        in_batch_LM = _in_batch(scored, queries, columns, columns_MLBC, targets, form, dtype).sum(-1).T * share

    distilled_LM = torch.zeros_like(hard_LM)
    if form.distillation is not None:
        assert taught is not None
        if isinstance(taught, TaughtStates):
            followed_L = _follow_states(queries, documents, targets, taught) * share
            distilled_LM = functional.pad(followed_L[:, None], (len(form.dims) - 1, 0))
        elif form.distillation.on == "scores":
            distilled_LM = _follow_scores(hard_MLBJ, columns_MLBC, targets, taught, form.distillation.temperature)
            distilled_LM = distilled_LM.T * share
        else:
            distilled_LM = _follow_vectors(queries, documents, targets, taught, form.dims)

    terms_LM = hard_LM + in_batch_LM
    if form.distillation is not None and not isinstance(taught, TaughtStates):
        terms_LM = terms_LM + form.distillation.weight * distilled_LM
    dim_weights_M = terms_LM.new_tensor(form.dim_weights)
    layers_L = (terms_LM * dim_weights_M).sum(1)
    if form.distillation is not None and isinstance(taught, TaughtStates):
        layers_L = layers_L + form.distillation.weight * distilled_LM.sum(1)
    total = layers_L @ terms_LM.new_tensor(form.layer_weights)
    return Loss(total, hard_LM.detach(), in_batch_LM.detach(), distilled_LM.detach())


def _in_batch(
    scored: _Side,
    queries: _Side,
    columns: _Side,
    columns_MLBC: Tensor,
    targets: Targets,
    form: Form,
    dtype: torch.dtype,
) -> Tensor:
    """Return the in-batch term of every query (M × L × B)."""
    positive_BC = functional.one_hot(targets.column_B, len(targets.columns_C)).bool()
    parts = [(columns_MLBC, targets.columns_mask_BC | positive_BC)]
    if form.same_side:
        parts.append((_scores(scored, queries, form.dims) / form.temperature, targets.queries_mask_BQ))
    query_to_document = _cross_entropy(*_concatenated(parts, dtype), targets.column_B)
    if not form.bidirectional:
        return query_to_document
    positives = columns.at(targets.column_B)
    query_BQ = functional.one_hot(targets.query_B, targets.queries_mask_BQ.shape[1]).bool()
    parts = [(_scores(positives, queries, form.dims) / form.temperature, targets.queries_mask_BQ | query_BQ)]
    if form.same_side:
        parts.append((_scores(positives, columns, form.dims) / form.temperature, targets.columns_mask_BC))
    return (query_to_document + _cross_entropy(*_concatenated(parts, dtype), targets.query_B)) / 2


def _follow_scores(
    hard_MLBJ: Tensor, columns_MLBC: Tensor | None, targets: Targets, taught: Taught, temperature: float
) -> Tensor:
    """Return KL(teacher ∥ model), summed over queries (M × L).

    The distributions are the softmaxes of the model's loss: over each query's positive and hard negatives, and over its
    in-batch columns if there is an in-batch term.
    """
    queries_QW, documents_NW = (functional.normalize(t.to(hard_MLBJ.dtype), dim=-1) for t in taught)
    scored_BW = queries_QW.index_select(0, targets.query_B)
    candidates_BJ = _candidates(targets)
    candidates_BJW = documents_NW[candidates_BJ]
    hard_BJ = torch.einsum("bw,bjw->bj", scored_BW, candidates_BJW) / temperature
    mask_BJ = functional.pad(targets.negatives_mask_BK, (1, 0), value=True)
    total = _divergence(hard_BJ, hard_MLBJ, mask_BJ)
    if columns_MLBC is not None:
        columns_BC = scored_BW @ documents_NW.index_select(0, targets.columns_C).T / temperature
        positive_BC = functional.one_hot(targets.column_B, len(targets.columns_C)).bool()
        total = total + _divergence(columns_BC, columns_MLBC, targets.columns_mask_BC | positive_BC)
    return total


def _follow_vectors(queries: _Side, documents: _Side, targets: Targets, taught: Taught, dims: Sequence[int]) -> Tensor:
    """Return one minus the cosine to the teacher's vectors, a mean over texts, prefix by prefix (L × M).

    A prefix of the model is compared with the same prefix of the teacher; prefixes wider than the teacher are left out.
    """
    texts = sum(len(vectors) for vectors in taught)
    total = queries.norms_MLN.new_zeros(queries.norms_MLN.shape[:2])
    for side, vectors, rows in (
        (queries, taught.queries_QW, targets.query_B),
        (documents, taught.documents_NW, targets.document_D),
    ):
        selected, wide = side.at(rows), min(dims[-1], vectors.shape[1])
        vectors_NH = functional.pad(vectors[rows, :wide].to(selected.states_LNH.dtype), (0, dims[-1] - wide))
        teacher = _side(vectors_NH[None], dims)
        cosines_LNM = selected.states_LNH * teacher.states_LNH @ _prefixes(dims, selected.states_LNH)
        cosines_MLN = cosines_LNM.movedim(-1, 0) / (selected.norms_MLN * teacher.norms_MLN)
        total = total + (1 - cosines_MLN).sum(-1)
    within_M = torch.tensor([dim <= taught.queries_QW.shape[1] for dim in dims], device=total.device)
    return (total * within_M[:, None]).T / texts


def _follow_states(queries: _Side, documents: _Side, targets: Targets, taught: TaughtStates) -> Tensor:
    """Return the mean squared errors to the teacher's states, summed over queries (L): of a query, of its positive, and
    the mean over its hard negatives.

    Where every query has the same number of negatives, that is the published sum of three means.
    """
    query_LQ = (queries.states_LNH - taught.queries_LQH.to(queries.states_LNH.dtype)).square().mean(-1)
    document_LN = (documents.states_LNH - taught.documents_LNH.to(documents.states_LNH.dtype)).square().mean(-1)
    mask_BK = targets.negatives_mask_BK.to(query_LQ.dtype)
    negative_LBK = document_LN[:, targets.negatives_BK]
    negatives_LB = (negative_LBK * mask_BK).sum(-1) / mask_BK.sum(-1).clamp_min(1)
    query_LB, positive_LB = (
        states.index_select(1, rows)
        for states, rows in ((query_LQ, targets.query_B), (document_LN, targets.positive_B))
    )
    total_L: Tensor = (query_LB + positive_LB + negatives_LB).sum(1)
    return total_L


def _candidates(targets: Targets) -> Tensor:
    """Return the candidates of each query, its positive first and then its hard negatives (B × J)."""
    return torch.cat([targets.positive_B[:, None], targets.negatives_BK], dim=1)


def _side(states_LNH: Tensor, dims: Sequence[int]) -> _Side:
    squares_MLN = (states_LNH.square() @ _prefixes(dims, states_LNH)).movedim(-1, 0)
    return _Side(states_LNH, squares_MLN.clamp_min(EPSILON**2).sqrt())


def _prefixes(dims: Sequence[int], like: Tensor) -> Tensor:
    """Return H × M, 1 where a dimension belongs to a prefix; a product with it sums over all prefixes."""
    ends_M = torch.tensor(dims, device=like.device)
    return (torch.arange(dims[-1], device=like.device)[:, None] < ends_M).to(like.dtype)


def _candidate_scores(scored: _Side, documents: _Side, candidates_BJ: Tensor, dims: Sequence[int]) -> Tensor:
    """Return the cosines of every query and its candidates (M × L × B × J)."""
    candidates = documents.at(candidates_BJ.flatten())
    candidates_LBJH = candidates.states_LNH.view(len(scored.states_LNH), *candidates_BJ.shape, dims[-1])
    products_LBJM = (scored.states_LNH[:, :, None] * candidates_LBJH) @ _prefixes(dims, candidates_LBJH)
    norms_MLBJ = scored.norms_MLN[..., None] * candidates.norms_MLN.view(
        len(dims), len(scored.states_LNH), *candidates_BJ.shape
    )
    return products_LBJM.movedim(-1, 0) / norms_MLBJ


def _scores(left: _Side, right: _Side, dims: Sequence[int]) -> Tensor:
    """Return the cosines of all texts of one side with all of the other (M × L × B × C)."""
    # Each block is added to the sum of the blocks before it; `cumsum` has no deterministic kernel on CUDA.
    sums: list[Tensor] = []
    for first, last in itertools.pairwise((0, *dims)):
        blocks = left.states_LNH[..., first:last], right.states_LNH[..., first:last].transpose(1, 2)
        sums.append(torch.baddbmm(sums[-1], *blocks) if sums else torch.bmm(*blocks))
    return torch.stack(sums) / (left.norms_MLN[..., None] * right.norms_MLN[:, :, None])


def _concatenated(parts: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Concatenate the scores (M × L × B × X) and masks (B × X) of several kinds of candidates."""
    return torch.cat([scores.to(dtype) for scores, _ in parts], -1), torch.cat([mask for _, mask in parts], -1)


def _cross_entropy(scores_MLBX: Tensor, mask_BX: Tensor, target_B: Tensor) -> Tensor:
    """Return -log softmax at the target, over the candidates where the mask is true (M × L × B)."""
    target_MLB1 = scores_MLBX.gather(-1, target_B[:, None].expand(*scores_MLBX.shape[:-1], 1))
    return scores_MLBX.masked_fill(~mask_BX, float("-inf")).logsumexp(-1) - target_MLB1.squeeze(-1)


def _divergence(teacher_BX: Tensor, scores_MLBX: Tensor, mask_BX: Tensor) -> Tensor:
    """Return KL(softmax of the teacher ∥ softmax of the scores), summed over queries (M × L)."""
    teacher_BX = teacher_BX.masked_fill(~mask_BX, float("-inf")).log_softmax(-1).masked_fill(~mask_BX, 0.0)
    student_MLBX = scores_MLBX.masked_fill(~mask_BX, float("-inf")).log_softmax(-1).masked_fill(~mask_BX, 0.0)
    return (teacher_BX.exp() * mask_BX * (teacher_BX - student_MLBX)).sum((-1, -2))
