"""The index of evaluation texts: a hash table of their n-grams, as arrays that all workers share by memory mapping."""

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
"""Texts tokenized at a time."""
LOAD, FILTER_BITS = 0.5, 12
"""Maximum load factor of the hash table, and bits of the Bloom filter for each n-gram."""


_TEXTS = pa.schema([("text", pa.large_string())])
_IDS = pa.schema([("subset", pa.large_string()), ("text_id", pa.large_string())])


class IndexSettings(Section):
    """The settings that the index depends on."""

    shortest: int
    ngram: int
    run: int
    common: int

    @classmethod
    def of(cls, settings: DecontaminationSettings) -> IndexSettings:
        """Select these settings from a profile's section."""
        return cls.model_validate(settings.model_dump(include=set(cls.model_fields)))


@dataclass(frozen=True)
class Index:
    """The arrays of the index, for m different texts and k n-grams.

    Attributes:
        filter: uint64, Bloom filter; its length is a power of two.
        slots, places: uint64 and uint32, hash table of n-gram keys and of their numbers; the length is a power of two
            (see `kernels`).
        posting_starts: int64[k + 1], bounds of each n-gram's postings.
        posting_texts, posting_positions: int32, the texts that contain the n-gram, and its first token in each.
        text_starts: int64[m + 1], bounds of each text's tokens.
        text_tokens: uint32, low 32 bits of the token hashes.
        text_scale: uint8, tokens that make a word, for each token.
        text_exact: uint64[m], hash of the text without case, white space and outer punctuation.
        text_words: int32[m], length in tenths of a word.
        owner_starts: int64[m + 1], bounds of each text's owners.
        owner_set, owner_role: int32 and uint8, the evaluation set that contains the text, and an index into `ROLES`.

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
    """Merge texts that differ only in case, white space and outer punctuation.

    Args:
        tables: one table for each set, with `curation.decontamination.step.texts.TEXT_SCHEMA`.

    Returns:
        A table of the m different texts, in order of appearance; their owners, by text and then in order of
        appearance, as (starts int64[m + 1], set int32, role uint8); and a table of `subset` and `text_id`, one row for
        each owner.

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
    """Build the index of m different texts.

    Args:
        texts: m strings.
        owners: the owners that `unique_texts` returns.
        settings: lengths in words, and from how many texts on an n-gram is common.

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
    """Return (unique keys, bounds of each key's postings, indices of the kept postings in order).

    An n-gram has one posting for each text. An n-gram of more than `common` texts is dropped as a common phrase, unless
    it is a whole text.
    """
    order = np.lexsort((positions, texts, keys))
    fresh = np.ones(len(order), bool)
    same_key = keys[order][1:] == keys[order][:-1]
    fresh[1:] = ~(same_key & (texts[order][1:] == texts[order][:-1]))
    order = order[fresh]
    unique, first, counts = np.unique(keys[order], return_index=True, return_counts=True)
    rare = (counts <= common) | (positions[order][first] < 0)
    kept = order[np.repeat(rare, counts)]
    return unique[rare], offsets_of(counts[rare]), kept


def _power_of_two(least: float) -> int:
    size = 64
    while size < least:
        size *= 2
    return size


def _exact(texts: pa.Array) -> U64:
    return tokenize(without_outer_punctuation(texts)).exact


def _pieces(texts: pa.ChunkedArray) -> Iterator[pa.Array]:
    """Cut a column into arrays of at most `AT_ONCE` texts."""
    for chunk in texts.chunks:
        for start in range(0, len(chunk), AT_ONCE):
            yield chunk.slice(start, AT_ONCE)
