"""Aligned sentences of many pairs of languages."""

import pytest

from open_ml_embed.core.errors import SchemaError
from tests.support.shaping import run

LANGS = {"query_lang": {"column": "language", "map": {"no": "nob-Latn"}}}


def pairs(first, second, count):
    return [{"translation": {first: f"{first} {n}", second: f"{second} {n}"}} for n in range(count)]


@pytest.mark.parametrize("size", [None, 1, 4])
def test_one_record_in_so_many_in_turn(size):
    rows, bad, filtered = run("bitexts", {"every": 3}, LANGS, size, de=pairs("de", "no", 8), en=pairs("en", "no", 4))
    assert [(row["query"], row["positive"], row["query_lang"], row["positive_lang"]) for row in rows] == [
        ("de 0", "no 0", "deu-Latn", "nob-Latn"),
        ("no 3", "de 3", "nob-Latn", "deu-Latn"),
        ("de 6", "no 6", "deu-Latn", "nob-Latn"),
        ("en 0", "no 0", "eng-Latn", "nob-Latn"),
        ("no 3", "en 3", "nob-Latn", "eng-Latn"),
    ]
    assert [row["label"] for row in rows] == ["de#0", "de#3", "de#6", "en#0", "en#3"]
    assert not bad
    assert filtered == {"not-sampled": 7}


def test_untranslated_and_null_texts():
    records = [{"de": "(Beifall)", "en": "(Beifall)"}, {"de": None, "en": "a"}, {"de": "b", "en": "c"}]
    rows, _, filtered = run("bitexts", {}, LANGS, records=[{"translation": record} for record in records])
    assert [(row["query"], row["positive"], row["record"]) for row in rows] == [("a", None, 1), ("b", "c", 2)]
    assert filtered == {"untranslated": 1}


@pytest.mark.parametrize("value", [{"de": "x", "en": "y", "fr": "z"}, {"de": "x"}, "x"])
def test_column_without_two_languages(value):
    with pytest.raises(SchemaError, match="has not two languages"):
        run("bitexts", {}, LANGS, records=[{"translation": value}])
