"""The shape for pairs with a verdict."""

import numpy as np
import pytest

from sources.shapes import paraphrase
from tests.support.shaping import run

ARGS = {"first": "a", "second": "b", "label": "same", "same": "yes", "different": "no"}


def records(*rows):
    return [dict(zip(("a", "b", "same"), row, strict=True)) for row in rows]


def found(rows):
    return [(row["query"], row["positive"], row["negatives"], row["record"]) for row in rows]


@pytest.mark.parametrize("size", [None, 1, 2])
def test_both_directions_with_what_either_text_was_told_apart_from(size):
    rows, bad, filtered = run(
        "paraphrase",
        ARGS,
        size=size,
        records=records(
            ("x", "n1", "no"),
            ("p", "q", "yes"),
            ("n2", "q", "no"),
            ("q", "n3", "no"),
            ("q", "n3", "no"),
            ("p", "r", "yes"),
            ("p", "s", "perhaps"),
            ("p", "t", None),
        ),
    )
    assert found(rows) == [("p", "q", [], 1), ("q", "p", ["n2", "n3"], 1), ("p", "r", [], 5), ("r", "p", [], 5)]
    assert bad == [("records", 6, "unknown-label"), ("records", 7, "unknown-label")]
    assert filtered == {"not-a-paraphrase": 4}


def test_a_pair_with_both_verdicts_is_no_negative():
    rows, *_ = run("paraphrase", ARGS, records=records(("p", "q", "yes"), ("q", "p", "no"), ("p", "n", "no")))
    assert found(rows) == [("p", "q", ["n"], 0), ("q", "p", [], 0)]


def test_languages_go_with_their_texts():
    langs = {"query_lang": "deu-Latn", "positive_lang": "eng-Latn"}
    rows, *_ = run("paraphrase", ARGS, langs, records=records(("p", "q", "yes")))
    assert [(row["query_lang"], row["positive_lang"]) for row in rows] == [
        ("deu-Latn", "eng-Latn"),
        ("eng-Latn", "deu-Latn"),
    ]


def test_tables_are_cut_and_still_the_same(monkeypatch):
    random = np.random.default_rng(7)
    pairs = random.integers(0, 40, (500, 2)).astype(str).tolist()
    rows = records(*((a, b, "yes" if int(a) % 4 == int(b) % 4 else "no") for a, b in pairs))
    whole = run("paraphrase", ARGS, records=rows)
    monkeypatch.setattr(paraphrase, "_ROWS", 7)
    assert run("paraphrase", ARGS, records=rows) == whole
    for row in whole[0]:
        assert all(int(text) % 4 != int(row["query"]) % 4 for text in row["negatives"])


def test_missing_texts_are_left_to_the_checks_on_rows():
    rows, *_ = run("paraphrase", ARGS, records=records(("p", None, "yes"), ("p", "n", "no")))
    assert found(rows) == [("p", "", ["n"], 0), ("", "p", [], 0)]
