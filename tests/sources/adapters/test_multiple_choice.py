"""The right option, by text, key and number; explanations; and options in another form."""

import pytest
from pydantic import ValidationError

from open_ml_embed.core.errors import ManifestError, SchemaError
from tests.support.shaping import run

KEYED = {"question": "q", "options": "o", "answer": "a"}
OPTIONS = [{"key": "A", "value": "one"}, {"key": "B", "value": "two"}, {"key": "C", "value": "three"}]


@pytest.mark.parametrize("answer", ["two", "B"])
def test_the_right_option_is_the_positive_and_the_others_are_negatives(answer):
    rows, bad, _ = run("multiple_choice", KEYED, records=[{"q": "which?", "o": OPTIONS, "a": answer}])
    assert bad == []
    assert [(row["query"], row["positive"], row["negatives"]) for row in rows] == [("which?", "two", ["one", "three"])]


def test_a_number_counts_from_the_first_and_an_explanation_takes_the_place_of_the_option():
    args = {"question": "q", "options": ["x", "y"], "answer": "n", "first": 1, "explanation": "e", "min_words": 3}
    records = [
        {"q": "1", "x": "red", "y": "blue", "n": 1, "e": None},
        {"q": "2", "x": "red", "y": "blue", "n": 2, "e": "since the sky is"},
        {"q": "3", "x": "red", "y": "blue", "n": 2, "e": "Ans. b"},
        {"q": "4", "x": "red", "y": "red", "n": 2, "e": ""},
        {"q": "5", "x": "red", "y": "blue", "n": 0, "e": ""},
        {"q": "6", "x": "red", "y": "blue", "n": 3, "e": "an explanation of nothing"},
    ]
    rows, bad, _ = run("multiple_choice", args, records=records)
    assert [(row["query"], row["positive"], row["negatives"]) for row in rows] == [
        ("1", "red", ["blue"]),
        ("2", "since the sky is", []),
        ("3", "blue", ["red"]),
        ("4", "red", []),
    ]
    assert bad == [("records", 4, "unknown-label"), ("records", 5, "unknown-label")]


def test_options_in_another_form_are_an_error_that_says_what_was_found():
    with pytest.raises(SchemaError, match=r"'o' is neither a text nor an object.*found: label, text"):
        run("multiple_choice", KEYED, records=[{"q": "q", "o": [{"label": "A", "text": "x"}], "a": "A"}])


def test_one_column_of_options_is_no_choice():
    with pytest.raises((ManifestError, ValidationError), match="two columns or more"):
        run("multiple_choice", KEYED | {"options": ["x"]}, records=[{"q": "q", "x": "x", "a": "x"}])
