"""The index of evaluation texts: their n-grams in a table that all workers read in place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.decontamination.kernels import anchors, fill, powers
from curation.decontamination.settings import DecontaminationSettings
from curation.decontamination.whole_texts import without_outer_punctuation, words_of
from curation.decontamination.word_units import TENTHS, tokens_per_word
from open_ml_embed.core.array_types import I32, I64, U8, U32, U64, Array
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.section import Section
from open_ml_embed.core.text.tokens import tokenize

ROLES = ("query", "document")
AT_ONCE = 65_536
LOAD, FILTER_BITS = 0.5, 12
"""Fullest the table gets, and bits of filter for each n-gram in it."""


_TEXTS = pa.schema([("text", pa.large_string())])
_IDS = pa.schema([("subset", pa.large_string()), ("text_id", pa.large_string())])


class IndexSettings(Section):
    """What of the settings decides what is in the index."""

    shortest: int
    ngram: int
    run: int
    common: int

    @classmethod
    def of(cls, settings: DecontaminationSettings) -> IndexSettings:
        """Take them from a profile's section."""
        return cls.model_validate(settings.model_dump(include=set(cls.model_fields)))


@dataclass(frozen=True)
class Index:
    """The arrays; m different texts, k n-grams.

    Attributes:
        filter: uint64, a power of two; slots, places: uint64 and uint32, a power of two (`kernels`).
        posting_starts: int64[k + 1]; posting_texts, posting_positions: int32, texts in which an n-gram stands.
        text_starts: int64[m + 1]; text_tokens: uint32, low halves of token hashes; text_scale: uint8, tokens a word.
        text_exact: uint64[m], hash of the text but for case, white space and outer punctuation.
        text_words: int32[m], length in tenths of a word.
        owner_starts: int64[m + 1]; owner_set: int32 and owner_role: uint8, whose text it is, and `ROLES`.

    """

    filter: U64
    slots: U64
    places: U32
    posting_starts: I64
    posting_texts: I32
    posting_positions: I32
    text_starts: I64
    text_tokens: U32
    text_scale: U8
    text_exact: U64
    text_words: I32
    owner_starts: I64
    owner_set: I32
    owner_role: U8

    def __len__(self) -> int:
        return len(self.text_exact)


def unique_texts(tables: list[pa.Table]) -> tuple[pa.Table, tuple[I64, I32, U8], pa.Table]:
    """Fold texts that differ in case, white space and outer punctuation alone.

    Args:
        tables: `texts.TEXT_SCHEMA`, one a set.

    Returns:
        A table of m texts, in order of appearance; their owners, by text and then in order of appearance, as
        (starts int64[m + 1], set int32, role uint8); and a table of subset and text_id, one row an owner.

    """
    whole = pa.concat_tables(tables) if tables else pa.table({n: [] for n in ("subset", "role", "text_id", "text")})
    keys = np.concatenate([np.zeros(0, np.uint64), *(_exact(piece) for piece in _pieces(whole["text"]))])
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    by_first = np.argsort(first)
    renumbered = np.empty(len(first), np.int64)
    renumbered[by_first] = np.arange(len(first))
    text = renumbered[number]
    order = np.argsort(text, kind="stable")
    sets = np.repeat(np.arange(len(tables), dtype=np.int32), [table.num_rows for table in tables])
    roles = pc.index_in(whole["role"].cast(pa.string()), pa.array(ROLES)).to_numpy().astype(np.uint8)
    starts = np.searchsorted(text[order], np.arange(len(first) + 1))
    kept = whole.select(["text"]).cast(_TEXTS).take(pa.array(first[by_first]))
    ids = whole.select(_IDS.names).cast(_IDS).take(pa.array(order))
    return kept, (starts, sets[order], roles[order]), ids


def build_index(texts: pa.ChunkedArray, owners: tuple[I64, I32, U8], settings: IndexSettings) -> Index:
    """Index m different texts.

    Args:
        texts: m strings.
        owners: as `unique_texts` gives them.
        settings: lengths in words.

    """
    power = powers(settings.ngram)
    step = settings.run - settings.ngram + 1
    parts: list[list[Array]] = []
    count = 0
    for piece in _pieces(texts):
        tokens = tokenize(piece, with_kinds=True)
        scale = tokens_per_word(tokens)
        chosen = (tokens.hashes, tokens.offsets, scale, settings.ngram, step, settings.shortest, power, TENTHS)
        number = anchors(*chosen, np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.int32))
        keys, text, position = np.empty(number, np.uint64), np.empty(number, np.int32), np.empty(number, np.int32)
        anchors(*chosen, keys, text, position)
        low = tokens.hashes.astype(np.uint32)
        words = words_of(tokens, scale)
        parts.append(
            [keys, text + np.int32(count), position, low, scale, np.diff(tokens.offsets), words, _exact(piece)]
        )
        count += len(tokens)
    empty: list[Array] = [
        np.zeros(0, kind)
        for kind in (np.uint64, np.int32, np.int32, np.uint32, np.uint8, np.int64, np.int32, np.uint64)
    ]
    keys, text, position, low, scale, lengths, words, exact = map(np.concatenate, zip(empty, *parts, strict=True))
    names, posting_starts, kept = _postings(keys, text, position, settings.common)
    slots = np.zeros(_power_of_two(len(names) / LOAD), np.uint64)
    places = np.zeros(len(slots), np.uint32)
    filter_words = np.zeros(_power_of_two(len(names) * FILTER_BITS / 64), np.uint64)
    fill(names, slots, places, filter_words)
    starts = offsets_of(lengths)
    return Index(
        filter_words, slots, places, posting_starts, text[kept], position[kept],
        starts, low, scale, exact, words, *owners,
    )  # fmt: skip


def _postings(keys: U64, texts: I32, positions: I32, common: int) -> tuple[U64, I64, I64]:
    """Return (different keys, where the postings of each start, which postings stay in which order).

    An n-gram counts once a text. One of more than `common` texts goes, unless it is a whole text: that is no phrase.
    """
    order = np.lexsort((positions, texts, keys))
    fresh = np.ones(len(order), bool)
    same_key = keys[order][1:] == keys[order][:-1]
    fresh[1:] = ~(same_key & (texts[order][1:] == texts[order][:-1]))
    order = order[fresh]
    names, first, held = np.unique(keys[order], return_index=True, return_counts=True)
    rare = (held <= common) | (positions[order][first] < 0)
    kept = order[np.repeat(rare, held)]
    return names[rare], offsets_of(held[rare]), kept


def _power_of_two(least: float) -> int:
    size = 64
    while size < least:
        size *= 2
    return size


def _exact(texts: pa.Array) -> U64:
    return tokenize(without_outer_punctuation(texts)).exact


def _pieces(texts: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Cut a column into arrays of a moderate number of texts."""
    for chunk in texts.chunks:
        for start in range(0, len(chunk), AT_ONCE):
            yield chunk.slice(start, AT_ONCE)
