"""Each shape but `pair` and `qrels` on the records that decide its rules, and what every shape refuses."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from open_ml_embed.core.errors import ManifestError, SchemaError, UnknownNameError
from sources.shapes import kinds, shape
from tests.support.shaping import run, texts


def test_names():
    assert {"pair", "nli", "sts", "bitext", "label", "qa", "conversation", "code", "qrels"} <= set(kinds())
    for wrong in ("pairs", "columns", "../pair"):
        with pytest.raises(UnknownNameError):
            shape(wrong)


def test_arguments_are_checked():
    with pytest.raises(UnknownNameError, match=r"shape\.args\.negative: .*\n.*did you mean negatives"):
        run("pair", {"query": "q", "positive": "p", "negative": "n"}, records=[{"q": "", "p": ""}])
    with pytest.raises(ManifestError, match=r"shape\.args\.positive: the argument 'positive' is missing"):
        run("pair", {"query": "q"}, records=[{"q": "", "p": ""}])


def test_undeclared_column_and_missing_struct_field():
    with pytest.raises(ManifestError, match="'x' is not among the declared fields: p, q"):
        run("pair", {"query": "x", "positive": "p"}, records=[{"p": "", "q": ""}])
    with pytest.raises(SchemaError, match=r"'p\.fr' leads to no field; found: de, en"):
        run("pair", {"query": "q", "positive": "p.fr"}, records=[{"q": "", "p": {"de": "", "en": ""}}])


NLI = {"entailed": "entailment", "others": ["neutral", "contradiction"], "unlabeled": ["-"]}


def nli(*rows):
    return [dict(zip(("premise", "hypothesis", "label"), row, strict=True)) for row in rows]


@pytest.mark.parametrize("size", [None, 1, 2])
def test_nli_groups_in_order_of_first_appearance(size):
    records = nli(
        ("B", "b-", "contradiction"),
        ("A", "a+", "entailment"),
        ("B", "b+", "entailment"),
        ("A", "a~", "neutral"),
        ("C", "c~", "neutral"),
        ("B", "b++", "entailment"),
        ("B", "b~", "neutral"),
        ("A", "no", "-"),
        ("A", "?", "maybe"),
        ("", "e", "entailment"),
    )
    rows, bad, filtered = run("nli", NLI, size=size, records=records)
    found = [(row["query"], row["positive"], row["negatives"], row["record"]) for row in rows]
    assert sorted(found) == [("A", "a+", ["a~"], 1), ("B", "b+", ["b-", "b~"], 2)]
    assert [row["query"] for row in rows] == ["B", "A"]
    assert filtered == {"no-gold-label": 1, "no-entailed-hypothesis": 1}
    assert sorted(bad) == [("records", 8, "unknown-label"), ("records", 9, "empty-query")]


def test_sts_both_directions_and_threshold_included():
    langs = {"query_lang": "eng-Latn", "positive_lang": "spa-Latn"}
    records = [{"sentence1": "a", "sentence2": "b", "score": 4.0}, {"sentence1": "c", "sentence2": "d", "score": 3.9},
               {"sentence1": "e", "sentence2": "f", "score": None},
               {"sentence1": "g", "sentence2": "h", "score": 5.0}]  # fmt: skip
    rows, bad, filtered = run("sts", {"threshold": 4}, langs, records=records)
    assert texts(rows) == [("a", "b"), ("b", "a"), ("g", "h"), ("h", "g")]
    assert [row["query_lang"] for row in rows] == ["eng-Latn", "spa-Latn"] * 2
    assert [row["positive_lang"] for row in rows] == ["spa-Latn", "eng-Latn"] * 2
    assert filtered == {"score-below-4": 1}
    assert bad == [("records", 2, "no-score")]


def test_sts_where_the_scale_runs_the_other_way():
    records = [{"sentence1": "a", "sentence2": "b", "score": 1.0}, {"sentence1": "c", "sentence2": "d", "score": 3.5}]
    rows, _, filtered = run("sts", {"threshold": 1.5, "higher_is_closer": False}, records=records)
    assert texts(rows) == [("a", "b"), ("b", "a")]
    assert filtered == {"score-above-1.5": 1}


@pytest.mark.parametrize("size", [None, 1, 3])
def test_bitext_limit_does_not_depend_on_batches(size):
    langs = {"query_lang": "eng-Latn", "positive_lang": "fra-Latn"}
    records = [{"t": {"en": f"e{i}", "fr": f"e{i}" if i % 3 == 0 else f"f{i}"}} for i in range(12)]
    args = {"query": "t.en", "positive": "t.fr", "limit": 4}
    rows, _, filtered = run("bitext", args, langs, size=size, records=records)
    assert [row["record"] for row in rows] == [1, 2, 4, 5]
    assert filtered == {"untranslated": 2}


CLUSTER = {"mode": "clustering", "text": "x", "label": "y"}


def labeled(pairs):
    return [{"x": text, "y": label} for text, label in pairs]


def test_clustering():
    pairs = [("a1", "a"), ("b1", "b"), ("a2", "a"), ("solo", "c"), ("a2 ", "a"), ("", "a"), ("x", None), ("b2", "b")]
    rows, bad, filtered = run("label", CLUSTER, records=labeled(pairs))
    assert [row["query"] for row in rows] == ["a1", "b1", "a2", "a2 ", "b2"]
    partner = {row["query"]: row["positive"] for row in rows}
    assert partner == {"a1": "a2", "a2": "a1", "a2 ": "a1", "b1": "b2", "b2": "b1"}
    assert [row["label"] for row in rows] == ["a", "b", "a", "a", "b"]
    assert filtered == {"alone-in-class": 1}
    assert bad == [("records", 5, "empty-query"), ("records", 6, "unknown-label")]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["1", "2"])), min_size=1), st.randoms())
def test_clustering_partners_depend_on_content_only(pairs, shuffler: random.Random):
    shuffled = pairs.copy()
    shuffler.shuffle(shuffled)
    one, two = (
        {(r["query"], r["label"]): r["positive"] for r in run("label", CLUSTER, records=labeled(p), size=3)[0]}
        for p in (pairs, shuffled)
    )
    assert one == two
    classes = {label: {t for t, other in pairs if other == label} for _, label in pairs}
    assert set(one) == {(t, label) for label, texts in classes.items() if len(texts) > 1 for t in texts}
    for (text, label), partner in one.items():
        assert partner in classes[label] - {text}
    assert len(set(one.items())) == len({(label, p) for (_, label), p in one.items()}), "each is once a positive"


def test_classification():
    args = {"mode": "classification", "text": "x", "label": "y", "names": {"0": "bad", "1": "good"}}
    records = [{"x": "t", "y": 1}, {"x": "u", "y": 0}, {"x": "v", "y": 2}]
    rows, bad, _ = run("label", args, records=records)
    assert [(row["query"], row["positive"], row["negatives"], row["label"]) for row in rows] == [
        ("t", "good", ["bad"], "good"),
        ("u", "bad", ["good"], "bad"),
    ]
    assert bad == [("records", 2, "unknown-label")]
    with pytest.raises(ManifestError, match="two-way"):
        run("label", args | {"names": {"0": "bad"}}, records=records)


def test_qa_flat_and_nested():
    nested = [{"context": "c1", "qas": [{"question": "q1", "no": False}, {"question": "q2", "no": True}]},
              {"context": "c2", "qas": []}, {"context": "c3", "qas": [{"question": "q3", "no": None}]}]  # fmt: skip
    rows, _, filtered = run("qa", {"each": "qas", "skip": "no"}, records=nested)
    assert [(*t, row["record"]) for t, row in zip(texts(rows), rows, strict=True)] == [("q1", "c1", 0), ("q3", "c3", 2)]
    assert filtered == {"no-answer": 1}
    rows, *_ = run("qa", {}, records=[{"question": "q", "context": "c"}])
    assert texts(rows) == [("q", "c")]


def test_conversation_first_user_turn_and_its_reply():
    def talk(*turns):
        return {"m": [dict(zip(("from", "value"), turn, strict=True)) for turn in turns]}

    records = [
        talk(("system", "s"), ("human", "q"), ("gpt", "a"), ("human", "q2"), ("gpt", "a2")),
        talk(("gpt", "hello"), ("human", "q"), ("gpt", "a")), talk(("human", "q")), talk(("system", "s")), {"m": []},
    ]  # fmt: skip
    rows, bad, _ = run("conversation", {"messages": "m", "role": "from", "content": "value"}, records=records)
    assert [(*t, row["record"]) for t, row in zip(texts(rows), rows, strict=True)] == [("q", "a", 0), ("q", "a", 1)]
    assert [(record, reason) for _, record, reason in bad] == [
        (2, "no-reply"),
        (3, "no-user-turn"),
        (4, "no-user-turn"),
    ]


def test_conversation_flat():
    records = [
        {"i": "Sum up.", "x": "Text.", "o": "T"},
        {"i": "Hi", "x": " ", "o": "Ho"},
        {"i": "A", "x": None, "o": "B"},
    ]
    rows, *_ = run("conversation", {"instruction": "i", "input": "x", "output": "o"}, records=records)
    assert texts(rows) == [("Sum up.\nText.", "T"), ("Hi", "Ho"), ("A", "B")]
    records[2]["x"] = "<noinput>"
    args = {"instruction": "i", "input": "x", "no_input": ["<noinput>"], "output": "o"}
    rows, *_ = run("conversation", args, records=records)
    assert texts(rows) == [("Sum up.\nText.", "T"), ("Hi", "Ho"), ("A", "B")]
    with pytest.raises(ManifestError, match="either `messages`"):
        run("conversation", {"instruction": "i"}, records=records)


def test_conversation_with_labeled_input():
    records = [{"i": "Sum up.", "x": "Input: Text.", "o": "T"}, {"i": "Hi", "x": "Input:", "o": "Ho"}]
    args = {"instruction": "i", "input": "x", "input_label": "Input:", "output": "o"}
    rows, *_ = run("conversation", args, records=records)
    assert texts(rows) == [("Sum up.\nText.", "T"), ("Hi", "Ho")]


def test_conversation_with_short_replies():
    records = [
        {"i": "q", "o": output, "x": [{"r": other}] if other is not None else []}
        for output, other in (("one two", "other"), ("one", "some more"), ("", "other"), ("one", ""), ("", None))
    ]
    args = {"instruction": "i", "output": "o", "min_words": 2}
    rows, _, filtered = run("conversation", args, records=records)
    assert [row["positive"] for row in rows] == ["one two", "", ""]
    assert filtered == {"short-reply": 2}
    rows, _, filtered = run("conversation", args | {"instead": "x.r.0"}, records=records)
    assert [row["positive"] for row in rows] == ["one two", "some more", ""]
    assert filtered == {"short-reply": 2}


def test_code_language_by_row():
    records = [{"q": "sort", "p": "x.sort()", "l": "Python"}, {"q": "sort", "p": "sort(x)", "l": "C++"}]
    rows, *_ = run("code", {"query": "q", "positive": "p", "language": "l"}, records=records)
    assert [(row["query_lang"], row["positive_lang"]) for row in rows] == [
        ("eng-Latn", "python-Code"),
        ("eng-Latn", "cpp-Code"),
    ]


@pytest.mark.parametrize("size", [None, 1, 2])
def test_code_from_the_top_of_a_file(size):
    records = [{"q": f"q{n}", "p": f"p{n}"} for n in range(5)]
    rows, _, filtered = run("code", {"query": "q", "positive": "p", "records": 3}, size=size, records=records)
    assert texts(rows) == [("q0", "p0"), ("q1", "p1"), ("q2", "p2")]
    assert filtered == {"held-out": 2}
