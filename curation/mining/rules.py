"""Choose negatives among scored candidates by the rules of `MiningSettings`. Masks were applied during retrieval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from curation.mining.masks import Masks, Ragged, masked_by
from curation.mining.negatives import EXAMPLES, ORIGINS, REASONS, Negatives, Rejected, draw_order
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import TopK
from open_ml_embed.core.array_types import F32, F64, I8, I32, I64, U64, Flag, Mask
from open_ml_embed.core.compiled import int64, njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.splitmix import GOLDEN
from open_ml_embed.core.text.tokens import mix64, mix_all

SKIPPED, CEILING, SHARE, MARGIN, NEAR, SURPLUS = (
    REASONS.index(name)
    for name in ("range-min", "max-score", "relative-margin", "absolute-margin", "near-duplicate", "not-needed")
)
NOTHING = -1
"""Verdict on an empty slot, where there is no candidate."""
GIVEN, MINED, RELAXED, RANDOM = (ORIGINS.index(name) for name in ("given", "mined", "relaxed", "random"))
DRAWS = 64
"""Most documents that a random fill tries for each negative that is missing."""


@dataclass(frozen=True)
class Scored:
    """Candidates, positives and given negatives of a block of b queries, with the teacher's scores.

    Attributes:
        rows: int64[b], query numbers.
        candidates: of these queries, best first.
        positives: float32, scores of these queries' positives, concatenated; NaN where the teacher has no score.
        given: float32, scores of these queries' given negatives, concatenated.

    """

    rows: I64
    candidates: TopK
    positives: F32
    given: F32


@dataclass(frozen=True)
class Pool:
    """Masks, given negatives and random keys of n queries over m documents.

    Attributes:
        masks: of all queries over all documents.
        given: document numbers of the negatives that the source gives, for each query.
        keys: uint64[n], seeds of the random draws; they do not depend on the order of the queries.

    """

    masks: Masks
    given: Ragged
    keys: U64

    @cached_property
    def by_language(self) -> I32:
        """Document numbers for random draws, int32[m]: sorted by language if the language must be the same."""
        if self.masks.language == 1:
            return np.argsort(self.masks.document_language, kind="stable").astype(np.int32)
        return np.arange(len(self.masks.document_cluster), dtype=np.int32)

    def draw_ranges(self, rows: I64) -> I64:
        """Return the range (start, stop) of `by_language` that each query may draw from, int64[len(rows), 2]."""
        if self.masks.language != 1:
            return np.tile(np.array([0, len(self.by_language)]), (len(rows), 1))
        document_languages, query_languages = (
            self.masks.document_language[self.by_language],
            self.masks.query_language[rows],
        )
        return np.stack(
            [
                np.searchsorted(document_languages, query_languages),
                np.searchsorted(document_languages, query_languages, "right"),
            ],
            1,
        )


def choose(scored: Scored, pool: Pool, settings: MiningSettings, *, bounded: bool = True) -> Negatives:
    """Choose the negatives of a block of queries.

    Args:
        scored: candidates with the scores of the teacher or the reranker.
        pool: of all queries.
        settings: the rules.
        bounded: whether scores are bounded; if not, `settings.max_score` is ignored.

    """
    rows, candidates, masks = scored.rows, scored.candidates, pool.masks
    n = len(rows)
    positive = _positive_scores(scored.positives, masks.positives.counts(rows), settings.positives)
    above = (candidates.scores > positive[:, None]).sum(1)
    rank = np.where(np.isnan(positive), -1, above).astype(np.int32)
    consistent = np.ones(n, bool) if settings.max_rank is None else (rank >= 0) & (rank <= settings.max_rank)
    verdicts = judge(candidates, positive, settings, bounded=bounded)
    given = pool.given.take(rows)
    seeds = mix_all(pool.keys[rows] ^ mix64(np.uint64(settings.seed)))
    ids = np.full((n, settings.num_negatives), -1, np.int32)
    scores, origins = (
        np.full((n, settings.num_negatives), np.nan, np.float32),
        np.zeros((n, settings.num_negatives), np.int8),
    )
    given_verdicts = np.zeros(len(given.values), np.int8)
    _select(
        rows, candidates.scores, candidates.ids, verdicts, given, scored.given, given_verdicts, masks, seeds,
        consistent, settings.sampling_strategy == "random", settings.shortage == "relax", ids, scores, origins,
    )  # fmt: skip
    if settings.shortage == "fill":
        _fill(rows, masks, pool.by_language, pool.draw_ranges(rows), seeds, consistent, ids, origins)
    if settings.shortage == "drop":
        ids[(ids >= 0).sum(1) < settings.num_negatives] = -1
    selected = ids >= 0
    masked = _codes(masks, rows, candidates.masked_ids)
    return Negatives(
        offsets_of(selected.sum(1)),
        ids[selected],
        scores[selected],
        origins[selected],
        positive.astype(np.float32),
        rank,
        _count(verdicts, masked, given_verdicts),
        _examples(rows, candidates, verdicts, masked, positive),
    )


def judge(candidates: TopK, positive: F64, settings: MiningSettings, *, bounded: bool = True) -> I8:
    """Return the rule that rejects each candidate, int8[n, k]: an index into `REASONS`; 0: none, -1: no candidate.

    Args:
        candidates: of n queries, best first.
        positive: float64[n], the positive's score; if it is NaN, the rules that compare with it do not apply.
        settings: the rules.
        bounded: see `choose`.

    """
    scores, positive_score = candidates.scores, positive[:, None]
    with np.errstate(invalid="ignore"):
        verdicts = np.zeros(scores.shape, np.int8)
        if settings.absolute_margin is not None:
            verdicts[scores > positive_score - settings.absolute_margin] = MARGIN
        if settings.relative_margin is not None:
            # for a negative positive score, score · (1 - margin) would be above it
            verdicts[scores >= positive_score - np.abs(positive_score) * settings.relative_margin] = SHARE
        if settings.max_score is not None and bounded:
            verdicts[scores >= settings.max_score] = CEILING
    if settings.skip_from == "ranking":
        verdicts[:, : settings.range_min] = SKIPPED
    else:
        passing = verdicts == 0
        verdicts[passing & (np.cumsum(passing, axis=1) <= settings.range_min)] = SKIPPED
    verdicts[candidates.ids < 0] = NOTHING
    return verdicts


def _positive_scores(scores: F32, counts: I64, reduction: str) -> F64:
    """Reduce the known scores of each query's positives to one, float64[b]; NaN if none is known."""
    result = np.full(len(counts), np.nan)
    query_of = np.repeat(np.arange(len(counts)), counts)
    is_known = ~np.isnan(scores)
    if reduction == "mean":
        total = np.bincount(query_of[is_known], scores[is_known].astype(np.float64), len(counts))
        count = np.bincount(query_of[is_known], minlength=len(counts))
        np.divide(total, count, out=result, where=count > 0)
    else:
        reduce = np.fmin if reduction == "min" else np.fmax
        reduce.at(result, query_of[is_known], scores[is_known])
    return result


def _count(*verdicts: I8) -> dict[str, int]:
    total = sum(np.bincount(part[part > 0], minlength=len(REASONS)) for part in verdicts)
    return {reason: int(count) for reason, count in zip(REASONS[1:], np.asarray(total)[1:], strict=True)}


def _examples(rows: I64, candidates: TopK, verdicts: I8, masked: I8, positive: F64) -> list[Rejected]:
    """Return, for each reason, the best rejected candidate of a few queries, drawn as `draw_order` orders them."""
    examples = []
    order = draw_order(rows)
    for codes, ids, scores in (
        (masked, candidates.masked_ids, candidates.masked_scores),
        (verdicts, candidates.ids, candidates.scores),
    ):
        for code in np.unique(codes[codes > 0]).tolist():
            has_reason = (codes[order] == code).any(1)
            for row in order[has_reason][:EXAMPLES].tolist():
                column = int(np.argmax(codes[row] == code))
                examples.append(
                    Rejected(
                        int(rows[row]),
                        int(ids[row, column]),
                        float(scores[row, column]),
                        float(positive[row]),
                        REASONS[code],
                    )
                )
    return examples


@njit
def _codes(masks: Masks, rows: I64, ids: I32) -> I8:
    codes = np.zeros(ids.shape, np.int8)
    for row in range(len(rows)):
        for i in range(ids.shape[1]):
            if ids[row, i] >= 0:
                codes[row, i] = masked_by(masks, rows[row], ids[row, i])
    return codes


@njit
def is_known(chosen: I32, count: int, clusters: I64, document: int) -> bool:
    """Tell whether a near-duplicate of a document is among the first `count` chosen ones."""
    for i in range(count):  # noqa: SIM110 (numba compiles no generator)
        if clusters[chosen[i]] == clusters[document]:
            return True
    return False


@njit
def _select(  # noqa: PLR0912 (all rules for one query, in their order)
    rows: I64,
    candidate_scores: F32,
    candidates: I32,
    verdicts: I8,
    given: Ragged,
    given_scores: F32,
    given_verdicts: I8,
    masks: Masks,
    seeds: U64,
    consistent: Mask,
    at_random: Flag,
    relax: Flag,
    ids: I32,
    scores: F32,
    origins: I8,
) -> None:
    """Write the chosen negatives to `ids`, `scores` and `origins`, and the remaining reasons to `verdicts`."""
    num_negatives, clusters = ids.shape[1], masks.document_cluster
    for row in range(len(rows)):
        if not consistent[row]:
            continue
        count = 0
        for i in range(given.offsets[row], given.offsets[row + 1]):
            document = given.values[i]
            given_verdicts[i] = masked_by(masks, rows[row], document)
            if given_verdicts[i] == 0 and is_known(ids[row], count, clusters, document):
                given_verdicts[i] = NEAR
            elif given_verdicts[i] == 0 and count == num_negatives:
                given_verdicts[i] = SURPLUS
            elif given_verdicts[i] == 0:
                ids[row, count], scores[row, count], origins[row, count] = document, given_scores[i], GIVEN
                count += 1
        num_given = count
        passing = np.flatnonzero(verdicts[row] == 0)
        if at_random:
            draws = np.empty(len(passing), np.uint64)
            for i in range(len(passing)):
                draws[i] = mix64(seeds[row] ^ mix64(np.uint64(candidates[row, passing[i]])))
            passing = passing[np.argsort(draws, kind="mergesort")]
        columns = np.empty(num_negatives, np.int64)
        for column in passing:
            if is_known(ids[row], count, clusters, candidates[row, column]):
                verdicts[row, column] = NEAR
            elif count == num_negatives:
                verdicts[row, column] = SURPLUS
            else:
                ids[row, count], columns[count] = candidates[row, column], column
                count += 1
        columns[num_given:count].sort()  # also negatives drawn at random are ordered by score
        for i in range(num_given, count):
            ids[row, i], scores[row, i] = candidates[row, columns[i]], candidate_scores[row, columns[i]]
            origins[row, i] = MINED
        if relax:
            for rejected in range(candidates.shape[1] - 1, -1, -1):
                turned_down = verdicts[row, rejected] != NOTHING and SKIPPED <= verdicts[row, rejected] <= MARGIN
                if (
                    turned_down
                    and count < num_negatives
                    and not is_known(ids[row], count, clusters, candidates[row, rejected])
                ):
                    ids[row, count], scores[row, count] = candidates[row, rejected], candidate_scores[row, rejected]
                    origins[row, count] = RELAXED
                    count += 1


@njit
def _fill(
    rows: I64, masks: Masks, members: I32, starts: I64, seeds: U64, consistent: Mask, ids: I32, origins: I8
) -> None:
    """Fill up with random documents.

    Positions follow an arithmetic progression modulo the number of documents, with a random start and a random step
    coprime to that number, so no document is tried twice.
    """
    num_negatives = ids.shape[1]
    for row in range(len(rows)):
        count = 0
        while count < num_negatives and ids[row, count] >= 0:
            count += 1
        first, last = starts[row]
        size = last - first
        if not consistent[row] or count == num_negatives or size == 0:
            continue
        position = int64(mix64(seeds[row]) % np.uint64(size))
        step = int64(mix64(seeds[row] + np.uint64(GOLDEN)) % np.uint64(size))
        while _gcd(step, size) != 1:
            step += 1
        for _ in range(min(size, DRAWS * (num_negatives - count))):
            position = (position + step) % size
            document = members[first + position]
            if masked_by(masks, rows[row], document) == 0 and not is_known(
                ids[row], count, masks.document_cluster, document
            ):
                ids[row, count], origins[row, count] = document, RANDOM
                count += 1
                if count == num_negatives:
                    break


@njit
def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a
