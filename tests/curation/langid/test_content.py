"""What is stripped before a text's language is asked for, and what must come through unharmed."""

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.langid.cleaning import cleaned
from curation.langid.content import prepared


def clean(*texts):
    return cleaned(pa.array(texts, pa.string()))[0].to_pylist()


def empty(*texts):
    return cleaned(pa.array(texts, pa.string()))[1].tolist()


STRIPPED = {
    "See https://example.org/a?b=c#d for more": "See for more",
    "Siehe www.example.de/x oder example.com.": "Siehe oder",
    "Write to jane.doe+list@mail.example.org now": "Write to now",
    "RT @somebody_else: très bien": "RT : très bien",
    "gutes Spiel #worldcup #2026final heute": "gutes Spiel heute",
    "#خبر عاجل": "خبر عاجل",
    "Press <b class='x'>Save</b><br/> twice": "Press Save twice",
    "one &amp; two&nbsp;three &#8212; four": "one two three four",
    "$1 of {{PLURAL:$2|page}} by %s, %(name)s, {0}, {user}, ${x}": "of |page}} by , , , ,",
    "100%sicher, 50% de réduction": "%sicher, % de réduction",
    "am 24.12.2025 um 18:30, 1,234.5 km": "am um , km",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 broke it": "commit broke it",
    "key 123e4567-e89b-12d3-a456-426614174000 lost": "key lost",
    "0xDEADBEEF at A12 and B45": "at and",
    "in /usr/share/doc/x and C:\\Windows\\x.ini": "in and",
    "Run `ls -la /tmp` first": "Run first",
    "bad\x00control\x1b and\u0085next": "bad control and next",
    "soft\u00adhyphen, \ufeffmark, \u202edirection": "softhyphen, mark, direction",
    "<|im_start|>user<!-- hidden --> hello": "user hello",
}

UNHARMED = [
    "The quick brown fox", "Hola, ¿qué tal?", "ma3lesh ya 7abibi, 2oltelak", "ana b7ebak 3ala tool", "naïve café",
    "COVID-19 and MP3 in 3D", "xin chào các bạn", "Привет, world, 世界!", "kya haal hai bhai", "א ב ג דה",
    "C# und F# sind Sprachen", "می\u200cخواهم", "ಕ್ರಿಸ್ಮಸ್\u200d", "a < b and c > d", "Hawaiʻi and Hawai`i and O`ahu",
    "he/she and/or they", "it's 4ever yours", "5-year-old 1st 2nd", "AT&T and R&B", "x = y", "木", "ไทย", "Ab",
    "l'été", "I'm lovin' it @ home", "x<y and z>w", "# Überschrift", "e.g. this one", "U.S. and U.K.", "hello.World",
]  # fmt: skip

NOTHING = [
    "", " ", "1, 2, 3", "12:30 – 14:00", "https://example.org/some/path", "someone@example.org", "🙂🙂🙂", "!!! ???",
    "d41d8cd98f00b204e9800998ecf8427e", "0x1f 0x2e", "+49 (30) 123-4567", "3.14 | 2.71 | 1.41", "—", "$1", "<br/>", "x",
    "@user", "١٢٣ ٤٥٦", "१२३", "\x00\x01", "Q42", "2024-01-01T12:00:00", "A12 B45 C98", "#1", "* * *",
]  # fmt: skip


@pytest.mark.parametrize(("text", "left"), STRIPPED.items())
def test_what_has_no_language_goes(text, left):
    assert clean(text) == [left]
    assert empty(text) == [False]


@pytest.mark.parametrize("text", UNHARMED)
def test_words_come_through_unharmed(text):
    got = clean(text)[0]
    kept = [word for word in re.findall(r"\w+", text) if not word.isdigit()]
    assert re.findall(r"\w+", got) == kept
    assert empty(text) == [False]


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_linguistic(text):
    assert empty(text) == [True]


def test_tags_are_words_where_there_is_nothing_else():
    assert clean("#sunset #love", "`hello world`") == ["sunset love", "`hello world`"]
    assert empty("#sunset #love", "`hello world`") == [False, False]


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=6))
def test_any_text_survives(texts):
    left, nothing = cleaned(pa.array(texts, pa.string()))
    left.validate(full=True)
    assert len(left) == len(nothing) == len(texts)
    for text, got, none in zip(texts, left.to_pylist(), nothing.tolist(), strict=True):
        assert len(got) <= len(text)
        if not any(unicodedata.category(char)[0] == "L" or ord(char) >= 0x20000 for char in text):
            assert none


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["дом", "casa", "家", "בית", "منزل", "घर", "บ้าน", "maison", "Haus", "ház"]), min_size=1)
)
def test_plain_words_of_any_script_pass_as_they_are(words):
    text = " ".join(words)
    assert clean(text) == [text]
    assert empty(text) == [False]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*STRIPPED, *UNHARMED]), max_size=8), st.integers(0, 3))
def test_a_text_is_cleaned_alike_alone_in_company_and_in_a_slice(texts, skip):
    together = cleaned(pa.array(["x 1", *texts], pa.string()).slice(1))[0].to_pylist()
    assert together == [clean(text)[0] for text in texts]
    chunks = pa.chunked_array([pa.array(texts[:skip], pa.string()), pa.array(texts[skip:], pa.string())])
    assert cleaned(chunks)[0].to_pylist() == together


@settings(deadline=None)
@given(st.sampled_from([*STRIPPED, *UNHARMED]))
def test_cleaning_twice_changes_nothing_more(text):
    once = clean(text)[0]
    assert clean(once) == [once]


def test_null_reads_as_empty():
    left, nothing = cleaned(pa.array([None, "hello"], pa.string()))
    assert left.to_pylist() == ["", "hello"]
    assert nothing.tolist() == [True, False]


def test_prepared_takes_apart_prose_code_and_nothing():
    ready = prepared(
        pa.array(
            [
                "Wie lese ich die Datei ein?\n```python\nwith open(p) as f:\n    x = f.read()\n```\nDanke im Voraus!",
                "```rust\nfn main() {}\n```",
                "```\nJust some words in a fence, nothing more than that.\n```",
                "for (int i = 0; i < n; i++) {\n    System.out.println(list.get(i));\n}",
                "12 34 56",
                None,
                "Ein ganz gewöhnlicher Satz.",
            ]
        )
    )
    assert ready.text.to_pylist()[0] == "Wie lese ich die Datei ein? Danke im Voraus!"
    assert ready.text.to_pylist()[2] == "Just some words in a fence, nothing more than that."
    assert ready.code.to_pylist() == [None, "rust", None, "java", None, None, None]
    assert ready.nothing.tolist() == [False, False, False, False, True, True, False]
    assert ready.confidence[1] == 1
    assert ready.confidence.dtype == "float32"


@settings(deadline=None)
@given(st.lists(st.text(alphabet="`~ \nab#1.>-{}=", max_size=60), max_size=5))
def test_prepared_answers_for_any_text(texts):
    ready = prepared(pa.array(texts, pa.string()))
    assert len(ready.text) == len(ready.code) == len(ready.confidence) == len(ready.nothing) == len(texts)
    for code, none in zip(ready.code.to_pylist(), ready.nothing.tolist(), strict=True):
        assert not (code and none)
