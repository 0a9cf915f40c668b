"""From candidates to negatives, by rules that are data (`MiningSettings`); masks have done their work before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from curation.mining.masks import Masks, Ragged, masked_by
from curation.mining.negatives import EXAMPLES, ORIGINS, REASONS, Negatives, Rejected, draw_order
from curation.mining.settings import MiningSettings
from curation.mining.topk.exact import Found
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
GIVEN, MINED, RELAXED, RANDOM = (ORIGINS.index(name) for name in ("given", "mined", "relaxed", "random"))
DRAWS = 64
"""How many texts of the pool a random fill looks at for each one that it needs, at most."""


@dataclass(frozen=True)
class Scored:
    """What a teacher says of some queries.

    Attributes:
        rows: int64[b], the queries' numbers.
        found: their candidates.
        positives: float32, one after the other the scores of these queries' positives; NaN: the teacher cannot say.
        given: float32, likewise of the negatives that the source gives.

    """

    rows: I64
    found: Found
    positives: F32
    given: F32


@dataclass(frozen=True)
class Pool:
    """What is known of n queries and m documents besides scores.

    Attributes:
        masks: of all queries over all documents.
        given: negatives that the source gives, document numbers for each query.
        keys: uint64[n], a query's own number for its random draws, whatever its place is.

    """

    masks: Masks
    given: Ragged
    keys: U64

    @cached_property
    def by_language(self) -> I32:
        """Documents in the order of their languages, for random draws; as they come where any language will do."""
        if self.masks.language == 1:
            return np.argsort(self.masks.document_language, kind="stable").astype(np.int32)
        return np.arange(len(self.masks.document_cluster), dtype=np.int32)

    def stretches(self, rows: I64) -> I64:
        """Return which stretch of `by_language` each of some queries may draw from, int64[b, 2]."""
        if self.masks.language != 1:
            return np.tile(np.array([0, len(self.by_language)]), (len(rows), 1))
        ordered, asked = self.masks.document_language[self.by_language], self.masks.query_language[rows]
        return np.stack([np.searchsorted(ordered, asked), np.searchsorted(ordered, asked, "right")], 1)


def choose(scored: Scored, pool: Pool, settings: MiningSettings, *, bounded: bool = True) -> Negatives:
    """Choose negatives.

    Args:
        scored: by the teacher, or by a second opinion.
        pool: where the candidates are from.
        settings: the rules.
        bounded: whether scores have a scale; if not, `settings.max_score` is left out.

    """
    rows, found, masks = scored.rows, scored.found, pool.masks
    n = len(rows)
    positive = _reduced(scored.positives, masks.positives.counts(rows), settings.positives)
    above = (found.scores > positive[:, None]).sum(1)
    rank = np.where(np.isnan(positive), -1, above).astype(np.int32)
    consistent = np.ones(n, bool) if settings.max_rank is None else (rank >= 0) & (rank <= settings.max_rank)
    verdicts = judge(found, positive, settings, bounded=bounded)
    given = pool.given.take(rows)
    seeds = mix_all(pool.keys[rows] ^ mix64(np.uint64(settings.seed)))
    ids = np.full((n, settings.num_negatives), -1, np.int32)
    scores, origins = (
        np.full((n, settings.num_negatives), np.nan, np.float32),
        np.zeros((n, settings.num_negatives), np.int8),
    )
    given_verdicts = np.zeros(len(given.values), np.int8)
    _take(
        rows, found.scores, found.ids, verdicts, given, scored.given, given_verdicts, masks, seeds, consistent,
        settings.sampling_strategy == "random", settings.shortage == "relax", ids, scores, origins,
    )  # fmt: skip
    if settings.shortage == "fill":
        _fill(rows, masks, pool.by_language, pool.stretches(rows), seeds, consistent, ids, origins)
    if settings.shortage == "drop":
        ids[(ids >= 0).sum(1) < settings.num_negatives] = -1
    taken = ids >= 0
    masked = _codes(masks, rows, found.masked_ids)
    return Negatives(
        offsets_of(taken.sum(1)),
        ids[taken],
        scores[taken],
        origins[taken],
        positive.astype(np.float32),
        rank,
        _count(verdicts, masked, given_verdicts),
        _examples(rows, found, verdicts, masked, positive),
    )


def judge(found: Found, positive: F64, settings: MiningSettings, *, bounded: bool = True) -> I8:
    """Return for every candidate the rule that turns it down, a place in `REASONS`; 0: none, -1: no candidate.

    Args:
        found: candidates of n queries, best first.
        positive: float64[n], the positive's score; NaN switches off what compares with it.
        settings: the rules.
        bounded: see `choose`.

    """
    scores, p = found.scores, positive[:, None]
    with np.errstate(invalid="ignore"):
        verdicts = np.zeros(scores.shape, np.int8)
        if settings.absolute_margin is not None:
            verdicts[scores > p - settings.absolute_margin] = MARGIN
        if settings.relative_margin is not None:
            # p · (1 - margin) would be above a negative p
            verdicts[scores >= p - np.abs(p) * settings.relative_margin] = SHARE
        if settings.max_score is not None and bounded:
            verdicts[scores >= settings.max_score] = CEILING
    if settings.skip_from == "ranking":
        verdicts[:, : settings.range_min] = SKIPPED
    else:
        passing = verdicts == 0
        verdicts[passing & (np.cumsum(passing, axis=1) <= settings.range_min)] = SKIPPED
    verdicts[found.ids < 0] = NOTHING
    return verdicts


def _reduced(scores: F32, counts: I64, how: str) -> F64:
    """Return one score a query, float64[b], of those of its positives that are known; NaN without any."""
    result = np.full(len(counts), np.nan)
    owner = np.repeat(np.arange(len(counts)), counts)
    known = ~np.isnan(scores)
    if how == "mean":
        total = np.bincount(owner[known], scores[known].astype(np.float64), len(counts))
        number = np.bincount(owner[known], minlength=len(counts))
        np.divide(total, number, out=result, where=number > 0)
    else:
        reduce = np.fmin if how == "min" else np.fmax
        reduce.at(result, owner[known], scores[known])
    return result


def _count(*verdicts: I8) -> dict[str, int]:
    total = sum(np.bincount(part[part > 0], minlength=len(REASONS)) for part in verdicts)
    return {reason: int(count) for reason, count in zip(REASONS[1:], np.asarray(total)[1:], strict=True)}


def _examples(rows: I64, found: Found, verdicts: I8, masked: I8, positive: F64) -> list[Rejected]:
    """Return for each reason the best candidate of a few queries, drawn by their numbers (`draw_order`)."""
    examples = []
    order = draw_order(rows)
    for codes, ids, scores in ((masked, found.masked_ids, found.masked_scores), (verdicts, found.ids, found.scores)):
        for code in np.unique(codes[codes > 0]).tolist():
            held = (codes[order] == code).any(1)
            for row in order[held][:EXAMPLES].tolist():
                place = int(np.argmax(codes[row] == code))
                examples.append(
                    Rejected(
                        int(rows[row]),
                        int(ids[row, place]),
                        float(scores[row, place]),
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
def is_known(chosen: I32, taken: int, clusters: I64, document: int) -> bool:
    """Tell whether a near-duplicate of a document is among the first few chosen."""
    for i in range(taken):  # noqa: SIM110 (numba compiles no generator)
        if clusters[chosen[i]] == clusters[document]:
            return True
    return False


@njit
def _take(  # noqa: PLR0912 (all rules for one query, in their order)
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
    """Fill the first places of `ids`, and say in `verdicts` what became of the other candidates."""
    keep, clusters = ids.shape[1], masks.document_cluster
    for row in range(len(rows)):
        if not consistent[row]:
            continue
        taken = 0
        for i in range(given.offsets[row], given.offsets[row + 1]):
            document = given.values[i]
            given_verdicts[i] = masked_by(masks, rows[row], document)
            if given_verdicts[i] == 0 and is_known(ids[row], taken, clusters, document):
                given_verdicts[i] = NEAR
            elif given_verdicts[i] == 0 and taken == keep:
                given_verdicts[i] = SURPLUS
            elif given_verdicts[i] == 0:
                ids[row, taken], scores[row, taken], origins[row, taken] = document, given_scores[i], GIVEN
                taken += 1
        first = taken
        passing = np.flatnonzero(verdicts[row] == 0)
        if at_random:
            draws = np.empty(len(passing), np.uint64)
            for i in range(len(passing)):
                draws[i] = mix64(seeds[row] ^ mix64(np.uint64(candidates[row, passing[i]])))
            passing = passing[np.argsort(draws, kind="mergesort")]
        places = np.empty(keep, np.int64)
        for place in passing:
            if is_known(ids[row], taken, clusters, candidates[row, place]):
                verdicts[row, place] = NEAR
            elif taken == keep:
                verdicts[row, place] = SURPLUS
            else:
                ids[row, taken], places[taken] = candidates[row, place], place
                taken += 1
        places[first:taken].sort()  # picked at random, still the best come first
        for i in range(first, taken):
            ids[row, i], scores[row, i] = candidates[row, places[i]], candidate_scores[row, places[i]]
            origins[row, i] = MINED
        if relax:
            for at in range(candidates.shape[1] - 1, -1, -1):
                turned_down = verdicts[row, at] != NOTHING and SKIPPED <= verdicts[row, at] <= MARGIN
                if turned_down and taken < keep and not is_known(ids[row], taken, clusters, candidates[row, at]):
                    ids[row, taken], scores[row, taken] = candidates[row, at], candidate_scores[row, at]
                    origins[row, taken] = RELAXED
                    taken += 1


@njit
def _fill(
    rows: I64, masks: Masks, members: I32, starts: I64, seeds: U64, consistent: Mask, ids: I32, origins: I8
) -> None:
    """Draw what is missing: a walk with a random start and a random step visits every text that may be drawn once."""
    keep = ids.shape[1]
    for row in range(len(rows)):
        taken = 0
        while taken < keep and ids[row, taken] >= 0:
            taken += 1
        first, last = starts[row]
        size = last - first
        if not consistent[row] or taken == keep or size == 0:
            continue
        at = int64(mix64(seeds[row]) % np.uint64(size))
        step = int64(mix64(seeds[row] + np.uint64(GOLDEN)) % np.uint64(size))
        while _divisor(step, size) != 1:
            step += 1
        for _ in range(min(size, DRAWS * (keep - taken))):
            at = (at + step) % size
            document = members[first + at]
            if masked_by(masks, rows[row], document) == 0 and not is_known(
                ids[row], taken, masks.document_cluster, document
            ):
                ids[row, taken], origins[row, taken] = document, RANDOM
                taken += 1
                if taken == keep:
                    break


@njit
def _divisor(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a
