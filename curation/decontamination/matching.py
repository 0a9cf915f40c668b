"""Which evaluation texts stand in which rows: exactly, nearly, or as a part."""

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
"""Equal but for case, white space and outer punctuation; Jaccard index of the shingles; a part of the row's text."""
EXACT, NEAR, CONTAINED = range(len(REASONS))
NOTHING = 255
FEWEST_RUNS = 4096
REPETITION = 4
"""How often a near-duplicate may repeat itself: beyond, two texts of such different lengths are not compared."""


@dataclass(frozen=True)
class Hits:
    """Pairs of a row and an evaluation text, sorted by row and text.

    Attributes:
        rows: int64, in the texts that were asked about.
        texts: int32, in the index.
        reasons: uint8, of `REASONS`: the first that holds.
        scores: float32; 1 for exact, the Jaccard index, or the share of the evaluation text that is there.
        given_up: n-grams not followed, because their rows repeat themselves too much.

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
    """Look for evaluation texts in n texts.

    Args:
        texts: n strings.
        index: of the evaluation texts.
        evaluated: what it was made of (`index.unique_texts`); only those that come near are read.
        settings: what counts.

    """
    found = [_match(piece, start, index, evaluated["text"], settings) for start, piece in _pieces(texts)]
    none = Hits(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.float32))
    return Hits(
        np.concatenate([none.rows, *(hits.rows for hits in found)]),
        np.concatenate([none.texts, *(hits.texts for hits in found)]),
        np.concatenate([none.reasons, *(hits.reasons for hits in found)]),
        np.concatenate([none.scores, *(hits.scores for hits in found)]),
        sum(hits.given_up for hits in found),
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
    """Return (row, text, begin, end) of all runs, and what was given up; `find` goes on where the arrays were full."""
    power = powers(ngram)
    postings = (index.posting_starts, index.posting_texts, index.posting_positions)
    table = (index.filter, index.slots, index.places, *postings)
    asked, evaluated = (tokens.hashes, tokens.offsets, scale), (index.text_starts, index.text_tokens)
    found: list[tuple[I32, ...]] = []
    row = given_up = 0
    room = max(FEWEST_RUNS, len(tokens))
    while row < len(tokens):
        runs = tuple(np.empty(room, np.int32) for _ in range(4))
        used, row, lost = find(asked, ngram, power, table, evaluated, row, *runs)
        given_up += lost
        found.append(tuple(array[:used] for array in runs))
        room *= 1 if used else 2
    none = np.zeros(0, np.int32)
    rows, texts, begins, ends = (
        (np.concatenate([none, *parts]) for parts in zip(*found, strict=True)) if found else (none, none, none, none)
    )
    return rows, texts, begins, ends, given_up


def _similarity(
    texts: pa.Array,
    tokens: Tokens,
    index: Index,
    evaluated: pa.ChunkedArray,
    row: I64,
    text: I32,
    asked: Mask,
    settings: DecontaminationSettings,
) -> F64:
    """Return the true Jaccard index of the shingles of each pair that is `asked` for; 0 where lengths forbid it."""
    result = np.zeros(len(row))
    sizes = np.diff(tokens.offsets)[row], np.diff(index.text_starts)[text]
    alike = np.minimum(*sizes) * REPETITION >= settings.threshold * np.maximum(*sizes)
    pairs = np.flatnonzero(asked & alike)
    if len(pairs):
        left, own = np.unique(row[pairs], return_inverse=True)
        right, other = np.unique(text[pairs], return_inverse=True)
        both = pa.concat_arrays([_taken(texts, left), _taken(evaluated, right)])
        hashes, offsets = shingle_sets(tokenize(both), settings.shingle)
        result[pairs] = jaccard_of_sets(hashes, offsets, own.astype(np.int64), other.astype(np.int64) + len(left))
    return result


def _equal(texts: pa.Array, index: Index, row: I64, text: I32, asked: Mask) -> Mask:
    """Tell which pairs that are `asked` for are equal but for case, white space and outer punctuation."""
    result = np.zeros(len(row), bool)
    pairs = np.flatnonzero(asked)
    if len(pairs):
        own, at = np.unique(row[pairs], return_inverse=True)
        exact = tokenize(without_outer_punctuation(texts.take(pa.array(own)))).exact
        result[pairs] = exact[at] == index.text_exact[text[pairs]]
    return result


def _taken(texts: pa.Array | pa.ChunkedArray, rows: Integers) -> pa.Array:
    taken = texts.take(pa.array(rows))
    if isinstance(taken, pa.ChunkedArray):
        taken = taken.combine_chunks()
    return pc.cast(taken, pa.large_string())
