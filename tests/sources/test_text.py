import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sources.text import normalized

SPICE = st.sampled_from(
    ["\r\n", "\r", "\t", "  ", "\x00", "\x0b", "\x85", "\x9f", "\x7f", "\ufeff", "e\u0301", "\u212b", "か\u3099",
     "\u2000", "\u3000", "\xa0", "\u0344", "각", "\u1100\u1161", "ﬁ", "\u0f73", "شَّ", "\u037e", "\U0001d15e",
     "\n", " ", "a", "\n  ", "\n\t", "\n```\n", "~~~", "\x92", "\xe2\x80\x99", "\xc3\xa9", "\u200d", "\u2028", "𝒳"]
)  # fmt: skip
FENCED = re.compile(r"^[ \t]*(?:```|~~~).*", re.DOTALL | re.MULTILINE)
ANY = st.text(st.characters(codec="utf-8"), max_size=4)
TEXT = st.lists(SPICE | ANY, max_size=8).map("".join)


def one(text: str, *, code: bool = False) -> str:
    return normalized(pa.array([text]), code=code)[0].as_py()


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plain", "plain"),
        ("  two   words ", "two words"),
        ("a\tb", "a b"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("page\x0cpage\x85page", "page\npage\npage"),
        ("nul\x00l\x1b[0m", "null[0m"),
        ("\ufeffmark\ufeff", "mark"),
        ("c1\x81x", "c1x"),
        ("Windows\x92s \x93own\x94", "Windows’s “own”"),
        ("It\xe2\x80\x99s a caf\xc3\xa9\xe2\x80\xa6", "It’s a café…"),
        ("caf\xe9, na\xefve", "café, naïve"),
        ("- a\n  - b   c\n\t- d\te", "- a\n  - b c\n\t- d e"),
        ("def f():\n    if  x:\n        y", "def f():\n    if x:\n        y"),
        ("a  b\n \t \nc\n  \n", "a b\n\nc"),
        ("a  b\n```py\nx  =\t1\n \n```\nc  d", "a b\n```py\nx  =\t1\n \n```\nc d"),
        ("a  b\n  ~~~~\nx  y\n~~~\nu  v", "a b\n  ~~~~\nx  y\n~~~\nu  v"),
        ("see ``a``  and ```b```", "see ``a`` and ```b```"),
        ("e\u0301te\u0301", "été"),
        ("e\x00\u0301", "é"),
        ("\u1100\u1161\u11a8", "각"),
        ("ﬁ", "ﬁ"),
        ("\u3000全角\u3000", "全角"),
        ("a\xa0b", "a\xa0b"),
        ("zero\u200dwidth joiner", "zero\u200dwidth joiner"),
        ("\ufeff \u2003\n", ""),
        ("", ""),
    ],
)
def test_language(raw, clean):
    assert one(raw) == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\r\n\r\n    if x:\r\n\t\treturn  1\r\n\r\n", "    if x:\n\t\treturn  1"),
        (" \t \n  x", "  x"),
        ("x\n\n\ny  ", "x\n\n\ny"),
        ("\ufeff#!/bin/sh", "#!/bin/sh"),
        (" \n ", ""),
    ],
)
def test_code(raw, clean):
    assert one(raw, code=True) == clean


@given(st.lists(TEXT | st.none(), max_size=6), st.booleans())
@example(["~~~\t0\x85"], False)
def test_twice_is_once_and_rows_do_not_touch(texts, code):
    once = normalized(pa.array(texts, pa.string()), code=code)
    assert normalized(once, code=code).equals(once)
    assert once.to_pylist() == [None if text is None else one(text, code=code) for text in texts]


@given(TEXT, st.booleans())
def test_what_is_promised(text, code):
    clean = one(text, code=code)
    assert unicodedata.is_normalized("NFC", clean)
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in clean)
    assert "\ufeff" not in clean
    assert clean == clean.rstrip()
    if not code:
        assert clean == clean.strip()
        # What lines begin with, and what stands in fenced blocks, stays.
        assert not re.search(r"[^ \t\n](?:  |[ ]?\t)|(?m:^[ \t]+$)", FENCED.sub("", clean))


@pytest.mark.parametrize("code", [False, True])
def test_every_character_within_a_text_comes_out_in_nfc(code):
    texts = [f"a{chr(point)}0" for point in range(0x30000) if not 0xD800 <= point < 0xE000]
    found = normalized(pa.array(texts), code=code).to_pylist()
    assert [text for text in found if not unicodedata.is_normalized("NFC", text)] == []


def test_slices_and_chunks():
    texts = pa.array(["\tskipped", "a  b", None, "c"])
    assert normalized(texts.slice(1)).to_pylist() == ["a b", None, "c"]
    assert normalized(texts.slice(3)).to_pylist() == ["c"]
    assert normalized(pa.chunked_array([texts.slice(1, 1), texts.slice(3)])).to_pylist() == ["a b", "c"]
