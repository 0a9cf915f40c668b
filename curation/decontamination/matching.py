"""Matching of rows with evaluation texts: equal, near-duplicate, or contained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.decontamination.index import AT_ONCE, Index
from curation.decontamination.kernels import WHOLE, cover, find, powers
from curation.decontamination.settings import DecontaminationSettings
from curation.decontamination.whole_texts import without_outer_punctuation
from curation.decontamination.word_units import TENTHS, tokens_per_word
from curation.dedup.minhash import jaccard_of_sets, shingle_sets
from open_ml_embed.core.array_types import F32, F64, I32, I64, U8, Integers, Mask
from open_ml_embed.core.text.tokens import Tokens, tokenize

REASONS = ("exact", "near", "contained")
"""Equal except for case, white space and outer punctuation; near-duplicate by the Jaccard index of the shingles;
contained in the row's text."""
EXACT, NEAR, CONTAINED = range(len(REASONS))
NOTHING = 255
FEWEST_RUNS = 4096
REPETITION = 4
"""Factor by which repetition may lengthen a near-duplicate; two texts whose lengths differ by more are not compared."""


@dataclass(frozen=True)
class Hits:
    """Pairs of a row and an evaluation text, sorted by row and text.

    Attributes:
        rows: int64, indices of the rows.
        texts: int32, indices of the evaluation texts in the index.
        reasons: uint8, indices into `REASONS`: the first that applies.
        scores: float32; 1 for exact, the Jaccard index for near, the covered share of the evaluation text otherwise.
        given_up: number of n-grams that were not extended, because their rows are too repetitive.

    """

    rows: I64
    texts: I32
    reasons: U8
    scores: F32
    given_up: int = 0

    def __len__(self) -> int:
        return len(self.rows)


def match(
    texts: pa.Array | pa.ChunkedArray, index: Index, evaluated: pa.Table, settings: DecontaminationSettings
) -> Hits:
    """Find evaluation texts in n texts.

    Args:
        texts: n strings.
        index: the index of the evaluation texts.
        evaluated: the table of evaluation texts that the index was built from (`index.unique_texts`). Only texts that
            may be near-duplicates are read from it.
        settings: thresholds and lengths.

    """
    parts = [_match(piece, start, index, evaluated["text"], settings) for start, piece in _pieces(texts)]
    none = Hits(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.float32))
    return Hits(
        np.concatenate([none.rows, *(hits.rows for hits in parts)]),
        np.concatenate([none.texts, *(hits.texts for hits in parts)]),
        np.concatenate([none.reasons, *(hits.reasons for hits in parts)]),
        np.concatenate([none.scores, *(hits.scores for hits in parts)]),
        sum(hits.given_up for hits in parts),
    )


def _pieces(texts: pa.Array | pa.ChunkedArray) -> list[tuple[int, pa.Array]]:
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    pieces, start = [], 0
    for chunk in chunks:
        for at in range(0, len(chunk), AT_ONCE):
            pieces.append((start, chunk.slice(at, AT_ONCE)))
            start += len(pieces[-1][1])
    return pieces


def _match(
    texts: pa.Array, start: int, index: Index, evaluated: pa.ChunkedArray, settings: DecontaminationSettings
) -> Hits:
    tokens = tokenize(texts, with_kinds=True)
    rows, others, begins, ends, given_up = _runs(tokens, tokens_per_word(tokens), index, settings.ngram)
    order = np.lexsort((begins, others, rows))
    rows, others, begins, ends = rows[order], others[order], begins[order], ends[order]
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows[1:] != rows[:-1]) | (others[1:] != others[:-1])
    groups = np.concatenate([np.flatnonzero(fresh), [len(rows)]]).astype(np.int64)
    covered, longest = np.zeros((2, len(groups) - 1), np.int64)
    cover(groups, others, begins, ends, index.text_starts, index.text_scale, TENTHS, covered, longest)
    row, text = rows[fresh].astype(np.int64), others[fresh]
    whole, partly = begins[fresh] == WHOLE, begins[groups[1:] - 1] != WHOLE
    reasons = np.full(len(row), NOTHING, np.uint8)
    words = index.text_words[text]
    scores = (covered / np.maximum(words, 1)).astype(np.float32)
    enough = np.maximum(settings.share * words, np.minimum(10 * settings.run, words))
    reasons[partly & ((longest >= 10 * settings.run) | (covered >= enough))] = CONTAINED
    near = _similarity(texts, tokens, index, evaluated, row, text, partly, settings)
    reasons[near >= settings.threshold] = NEAR
    scores[reasons == NEAR] = near[reasons == NEAR]
    same = _equal(texts, index, row, text, whole)
    reasons[same], scores[same] = EXACT, 1
    kept = reasons != NOTHING
    return Hits(row[kept] + start, text[kept], reasons[kept], scores[kept], given_up)


def _runs(tokens: Tokens, scale: U8, index: Index, ngram: int) -> tuple[I32, I32, I32, I32, int]:
    """Return (row, text, begin, end) of all runs, int32, and the number of n-grams given up.

    Calls `find` repeatedly, with new result arrays whenever they are full.
    """
    power = powers(ngram)
    postings = (index.posting_starts, index.posting_texts, index.posting_positions)
    table = (index.filter, index.slots, index.places, *postings)
    row_tokens, evaluated = (tokens.hashes, tokens.offsets, scale), (index.text_starts, index.text_tokens)
    pieces: list[tuple[I32, ...]] = []
    row = given_up = 0
    capacity = max(FEWEST_RUNS, len(tokens))
    while row < len(tokens):
        runs = tuple(np.empty(capacity, np.int32) for _ in range(4))
        used, row, skipped = find(row_tokens, ngram, power, table, evaluated, row, *runs)
        given_up += skipped
        pieces.append(tuple(array[:used] for array in runs))
        capacity *= 1 if used else 2
    none = np.zeros(0, np.int32)
    rows, texts, begins, ends = (
        (np.concatenate([none, *parts]) for parts in zip(*pieces, strict=True)) if pieces else (none, none, none, none)
    )
    return rows, texts, begins, ends, given_up


def _similarity(
    texts: pa.Array,
    tokens: Tokens,
    index: Index,
    evaluated: pa.ChunkedArray,
    row: I64,
    text: I32,
    wanted: Mask,
    settings: DecontaminationSettings,
) -> F64:
    """Return the Jaccard index of the shingles of each pair in `wanted`, float64; 0 if the lengths differ too much."""
    result = np.zeros(len(row))
    sizes = np.diff(tokens.offsets)[row], np.diff(index.text_starts)[text]
    alike = np.minimum(*sizes) * REPETITION >= settings.threshold * np.maximum(*sizes)
    pairs = np.flatnonzero(wanted & alike)
    if len(pairs):
        left, left_index = np.unique(row[pairs], return_inverse=True)
        right, right_index = np.unique(text[pairs], return_inverse=True)
        both = pa.concat_arrays([_take(texts, left), _take(evaluated, right)])
        hashes, offsets = shingle_sets(tokenize(both), settings.shingle)
        result[pairs] = jaccard_of_sets(
            hashes, offsets, left_index.astype(np.int64), right_index.astype(np.int64) + len(left)
        )
    return result


def _equal(texts: pa.Array, index: Index, row: I64, text: I32, wanted: Mask) -> Mask:
    """Tell which pairs in `wanted` are equal except for case, white space and outer punctuation."""
    result = np.zeros(len(row), bool)
    pairs = np.flatnonzero(wanted)
    if len(pairs):
        unique_rows, at = np.unique(row[pairs], return_inverse=True)
        exact = tokenize(without_outer_punctuation(texts.take(pa.array(unique_rows)))).exact
        result[pairs] = exact[at] == index.text_exact[text[pairs]]
    return result


def _take(texts: pa.Array | pa.ChunkedArray, rows: Integers) -> pa.Array:
    selected = texts.take(pa.array(rows))
    if isinstance(selected, pa.ChunkedArray):
        selected = selected.combine_chunks()
    return pc.cast(selected, pa.large_string())
