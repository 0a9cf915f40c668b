"""Tokens against a slow tokenizer of Python strings, and whatever bytes a buffer may hold."""

import unicodedata

import numba as nb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from open_ml_embed.core.text.arrays import one_array
from open_ml_embed.core.text.tokens import count_ones, string_buffers, tokenize
from tests.support.slow_folding import UNSPACED, fold, same_partition, words

HARD = [
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x1BFF), (0x3000, 0x312F), (0x31A0, 0x4DBF),
    (0xA000, 0xABFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F),
]  # fmt: skip
SAMPLES = [
    *"aZ09_ .é", "ß", "Å", "K", "İ", "\u0301", "\u200d", "中", "の", "ไ", "ก", "ก\u0e34", "한", "ا", "שָׁ",
    "क्षि", "Ж", "ǅ",
    "𝒜", "𠀀", "😀", "\u00a0", "\u3000", "\u2009", "\n", "abcdefgh", "ABCDEFGHIJ", "x" * 17,
]  # fmt: skip
"""Letters, marks, digits and spaces of all widths, and words around the eight bytes that are read at a time."""
texts = st.text(st.sampled_from("".join(SAMPLES)) | st.characters(codec="utf-8"), max_size=30)
joined = st.lists(st.sampled_from(SAMPLES), max_size=12).map("".join)


def known(text: str) -> bool:
    """Tell whether the oracle knows the script of every character: the table has more of those without spaces."""
    strange = (c for c in fold(text) if any(first <= ord(c) <= last for first, last in HARD))
    return all(unicodedata.name(c, "").startswith(UNSPACED) for c in strange)


def from_bytes(rows: list[bytes]) -> pa.Array:
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return pa.Array.from_buffers(
        pa.large_string(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(rows))]
    )


@given(st.lists((texts | joined).filter(known), min_size=1, max_size=8))
@example(
    ["elvin Kelvin \N{KELVIN SIGN}elvin kelvin", "abcdefgh abcdefghi abcdefg", "abcdefghé ABCDEFGHÉ abcdefg\u0301h"]
)
@settings(max_examples=400, deadline=None)
def test_tokens_are_those_of_the_slow_tokenizer(batch):
    got = tokenize(pa.array(batch))
    expected = [words(text) for text in batch]
    assert np.diff(got.offsets).tolist() == list(map(len, expected))
    assert same_partition(got.hashes.tolist(), [word for each in expected for word in each])


@given(st.lists(texts | joined, min_size=1, max_size=8))
@example(["a b", " a\n b ", "a\u2009b", "A B", "ab", "a  b.", "a b .", "", " \t"])
@settings(max_examples=400, deadline=None)
def test_exact_is_equal_where_folded_text_with_single_spaces_is(batch):
    assert same_partition(tokenize(pa.array(batch)).exact.tolist(), list(map(fold, batch)))


@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_tokens_of_a_text_do_not_depend_on_its_neighbors(batch, for_search):
    together = tokenize(pa.array(batch), for_search=for_search)
    for i, text in enumerate(batch):
        alone = tokenize(pa.array([text]), for_search=for_search)
        assert together.hashes[together.offsets[i] : together.offsets[i + 1]].tolist() == alone.hashes.tolist()
        assert together.exact[i] == alone.exact[0]


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"\xc3", b"\xed\xa0\x80x", b"\xf0\x9f\x98"]), max_size=6))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_no_text_are_read_alone_too(rows):
    """Unpaired surrogates, cut characters, bytes that start nothing: a row never reads into the next."""
    together = tokenize(from_bytes(rows))
    for i, row in enumerate(rows):
        alone = tokenize(from_bytes([row]))
        assert together.hashes[together.offsets[i] : together.offsets[i + 1]].tolist() == alone.hashes.tolist()
        assert together.exact[i] == alone.exact[0]
        assert len(alone.hashes) <= 2 * len(row)


def test_slices_chunks_and_nulls():
    array = pa.array(["dropped", "one Two", None, "three", "dropped"])
    whole = tokenize(pa.array(["one two", "", "three"]))
    for cut in (
        array.slice(1, 3),
        array.cast(pa.large_string()).slice(1, 3),
        pa.chunked_array([array[1:3], array[3:4]]),
    ):
        got = tokenize(cut)
        assert got.hashes.tolist() == whole.hashes.tolist()
        assert got.offsets.tolist() == whole.offsets.tolist() == [0, 2, 2, 3]
        assert got.exact.tolist() == whole.exact.tolist()
    assert len(tokenize(pa.chunked_array([], pa.string()))) == 0
    assert string_buffers(pa.array([], pa.string()))[0].tolist() == [0]


@pytest.mark.parametrize(
    ("text", "shingling", "searching"),
    [
        ("Hello wörld, foo_bar", 4, 4), ("日本語のテスト", 7, 6), ("สวัสดี", 6, 5), ("", 0, 0), ("+-*/", 0, 0),
        ("น้ำ", 3, 2), ("ก\u0e4d\u0e32", 2, 1),
        ("camelCase", 1, 2), ("𠀀𠀁", 2, 1), ("הַשָּׁלוֹם", 1, 1), ("a\u0300 b", 2, 2), ("नमस्ते दुनिया", 2, 2),
    ],
)  # fmt: skip
def test_tokens_by_script(text, shingling, searching):
    assert len(tokenize(pa.array([text])).hashes) == shingling
    assert len(tokenize(pa.array([text]), for_search=True).hashes) == searching


def test_one_long_row_of_anything_is_read():
    for text, tokens in [("a" * 10**6, 1), ("a " * 10**6, 10**6), ("中" * 10**6, 10**6), (" -" * 10**6, 0)]:
        assert len(tokenize(pa.array([text])).hashes) == tokens


def test_ones_are_counted():
    @nb.njit
    def count(word):
        return count_ones(word)

    assert [count(np.uint64(x)) for x in (0, 1, 0x8000000000000001, 2**64 - 1)] == [0, 1, 2, 64]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_strings_in_one_piece_are_not_copied(kind):
    piece = pa.array(["a", None, "中"], kind)
    assert one_array(piece) is piece
    assert one_array(pa.chunked_array([piece])).buffers()[2].address == piece.buffers()[2].address
    assert one_array(pa.chunked_array([piece, piece[1:]])).to_pylist() == ["a", None, "中", None, "中"]
    assert one_array(pa.chunked_array([], kind)).equals(pa.array([], kind))
