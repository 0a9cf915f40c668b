"""The figures of quality against a slow loop over characters, and against values worked out by hand."""

import math
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.quality.measures import MEASURES, QUALITY_SCHEMA, measure
from curation.quality.usual import USUAL, bins_of, quantile, usual_of
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.text.blank import DEFAULT_IGNORABLE
from sources import registry

HIDDEN = {point for first, last in DEFAULT_IGNORABLE for point in range(first, last + 1)}


def slowly(query: str, positive: str) -> dict:
    """Measure one row, character by character."""

    def of(text: str) -> tuple[int, int, float, str]:
        shown = [char for char in text if ord(char) not in HIDDEN]
        letters = [char for char in shown if unicodedata.category(char)[0] in "LMN"]
        symbols = [char for char in shown if unicodedata.category(char)[0] in "PS"]
        grams = [text[i : i + 10] for i in range(len(text) - 9)]
        small = "".join(char.lower() if len(char.lower()) == 1 else char for char in letters)
        return len(letters), len(symbols), 1 - len(set(grams)) / len(grams) if grams else 0.0, small

    sides = [of(query), of(positive)]
    visible = [letters + symbols for letters, symbols, *_ in sides]
    return {
        "query_alphanumeric": sides[0][0],
        "positive_alphanumeric": sides[1][0],
        "query_symbols": sides[0][1] / visible[0] if visible[0] else 0.0,
        "positive_symbols": sides[1][1] / visible[1] if visible[1] else 0.0,
        "query_repetition": sides[0][2],
        "positive_repetition": sides[1][2],
        "length_ratio": visible[1] / visible[0] if all(visible) else math.nan,
        "equal": sides[0][0] > 0 and sides[0][3] == sides[1][3],
    }


CHARACTERS = st.characters(codec="utf-8", max_codepoint=0x2FFFF)
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=60),
    st.text("ab ", max_size=80),
    st.builds(lambda part, times: part * times, st.text(CHARACTERS, max_size=12), st.integers(0, 12)),
)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8))
@example([("Straße İI ①", "STRASSE iı 1"), ("", "\u200b"), ("x" * 9, "x" * 10), ("Ölfaß", "ölFAß!")])
def test_figures_equal_those_of_a_slow_loop(rows):
    table = measure([query for query, _ in rows], [positive for _, positive in rows])
    assert table.schema == QUALITY_SCHEMA
    for found, (query, positive) in zip(table.to_pylist(), rows, strict=True):
        assert found == pytest.approx(slowly(query, positive), nan_ok=True, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "repetition", "symbols"),
    [
        ("ha ha ha ha ha", 0.4, 0.0),  # 5 sequences, of which 3 differ
        ("abcdefghij" * 2, 1 / 11, 0.0),  # 11 sequences, the last is the first
        ("哈" * 20, 10 / 11, 0.0),
        ("!?!? ok", 0.0, 4 / 6),
        ("नमस्ते।", 0.0, 1 / 7),  # vowel signs are parts of letters, the danda is not
        ("a\u200bb", 0.0, 0.0),
        ("🙂🙂", 0.0, 1.0),
        ("", 0.0, 0.0),
    ],
)
def test_figures_of_some_texts(text, repetition, symbols):
    (found,) = measure([text], ["another"]).to_pylist()
    assert found["query_repetition"] == pytest.approx(repetition)
    assert found["query_symbols"] == pytest.approx(symbols)


@pytest.mark.parametrize(
    ("query", "positive", "equal"),
    [
        ("What is Łódź?", "what is łódź", True),
        ("1,000", "1000", True),
        ("e\u0301", "é", False),  # another spelling: `dedup` folds it, this figure does not
        ("?!", "?!", False),  # nothing to compare
        ("who", "whom", False),
    ],
)
def test_equal_sides(query, positive, equal):
    assert measure([query], [positive])["equal"].to_pylist() == [equal]


def test_slices_chunks_nulls_and_long_texts_are_read_right():
    texts = ["skipped", "one", None, "x" * 70_000, "last one"]
    whole = pa.chunked_array([pa.array(texts[:3]), pa.array(texts[3:])]).slice(1)
    table = measure(whole, pa.array(["one", "", "y", "z"], pa.large_string()))
    assert table["query_alphanumeric"].to_pylist() == [3, 0, 70_000, 7]
    assert table["equal"].to_pylist() == [True, False, False, False]
    assert table["query_repetition"].to_pylist()[2] == pytest.approx(1 - 1 / 69_991)


def test_sides_of_different_lengths_are_refused():
    with pytest.raises(SettingsError, match="1 entries for 2 queries"):
        measure(["a", "b"], ["c"])


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300), st.sampled_from([0.01, 0.5, 0.99]))
def test_quantiles_of_shares_are_within_a_bin(values, share):
    found = quantile("query_symbols", bins_of("query_symbols", np.array(values, np.float64)), share)
    exact = float(np.quantile(values, share, method="lower"))
    assert exact - 0.0101 <= found <= exact + 1e-6


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300), st.sampled_from([0.01, 0.5, 0.99]))
def test_quantiles_of_numbers_are_within_a_bin(values, share):
    found = quantile("positive_alphanumeric", bins_of("positive_alphanumeric", np.array(values, np.float64)), share)
    exact = float(np.quantile(values, share, method="lower"))
    assert exact / 2 ** (1 / 4) * 0.99 <= found <= exact * 1.01


def test_nan_is_in_no_bin():
    assert bins_of("length_ratio", np.array([np.nan, 1.0, np.nan])) == Counter({0: 1})


def test_lengths_are_unusual_only_where_both_sides_say_the_same():
    tasks = {manifest.task for manifest in registry.load_all()}
    assert {task for task in tasks if "length_ratio" in usual_of(task)} == {"bitext-mining", "paraphrase"}
    assert set(MEASURES) == {*USUAL, "length_ratio"}
