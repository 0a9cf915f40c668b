"""Each shape on the records that decide its rules."""

import random
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.errors import ManifestError, SchemaError, UnknownNameError
from sources.manifest import Manifest
from sources.parts import Context, RawBatch
from sources.quarantine import Quarantine
from sources.schema import DRAFT_SCHEMA
from sources.shapes import arguments, kinds, shape

LANGS = {"query_lang": "eng-Latn"}


def run(kind, args, langs=LANGS, size=None, **tables):
    """Return (rows, quarantined (file, record, reason), filtered); `size` cuts the records into batches."""
    manifest = Manifest.model_validate(
        {
            "name": "s", "title": "S", "collection": "ml-embed", "task": "nli", "family": "retrieval",
            "origin": {"kind": "hub", "repo": "o/r"}, "shape": {"kind": kind, "args": args}, "subsets": {"t": langs},
            "tables": {name: {"files": ["*"], "format": "jsonl", "fields": {
                column: "int64" if rows and isinstance(rows[0][column], int) else "any" for column in rows[0]}}
                for name, rows in tables.items()},
            "licence": {"id": "MIT", "commercial": True, "redistribution": True}, "citation": "none",
            "samples": 0, "instruction": "Find what belongs to it.",
        }
    )  # fmt: skip

    def read(name):
        rows = tables.get(name, [])
        step = size or max(len(rows), 1)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            yield RawBatch(pa.Table.from_pylist(some), name, pa.array(range(start, start + len(some)), pa.int64()))

    context = Context(manifest, read, Quarantine("s", "t"), Counter())
    module = shape(kind)
    drafts = list(module.drafts(context, arguments(module, manifest)))
    assert all(table.schema.equals(DRAFT_SCHEMA) for table in drafts)
    rows = pa.concat_tables(drafts).to_pylist() if drafts else []
    bad = [(q["file"], q["record"], q["reason"]) for q in context.quarantine.table().to_pylist()]
    return rows, bad, dict(context.filtered)


def texts(rows):
    return [(row["query"], row["positive"]) for row in rows]


def test_names():
    assert {"pair", "nli", "sts", "bitext", "label", "qa", "conversation", "code", "qrels"} <= set(kinds())
    for wrong in ("pairs", "columns", "../pair"):
        with pytest.raises(UnknownNameError):
            shape(wrong)


def test_arguments_are_checked():
    with pytest.raises(ManifestError, match=r"shape\.args"):
        run("pair", {"query": "q", "positive": "p", "negative": "n"}, records=[{"q": "", "p": ""}])


def test_undeclared_column_and_missing_struct_field():
    with pytest.raises(ManifestError, match="'x' is not among the declared fields: p, q"):
        run("pair", {"query": "x", "positive": "p"}, records=[{"p": "", "q": ""}])
    with pytest.raises(SchemaError, match=r"'p\.fr' leads to no field; found: de, en"):
        run("pair", {"query": "q", "positive": "p.fr"}, records=[{"q": "", "p": {"de": "", "en": ""}}])


def test_pair_with_every_kind_of_negative():
    rows, *_ = run(
        "pair", {"query": ["t", "q"], "positive": "p", "negatives": ["n", "many"]},
        records=[{"t": "T", "q": "q", "p": "p", "n": "n1", "many": ["n2", "n3"]},
                 {"t": None, "q": "q2", "p": "p2", "n": None, "many": None},
                 {"t": "", "q": "", "p": "", "n": "n", "many": []}],
    )  # fmt: skip
    assert texts(rows) == [("T q", "p"), ("q2", "p2"), (None, "")]
    assert [row["negatives"] for row in rows] == [["n1", "n2", "n3"], [], ["n"]]
    assert [row["record"] for row in rows] == [0, 1, 2]


def test_paths_into_lists():
    records = [
        {"q": ["i", "q1"], "p": [["i", "p1"], ["i", "x"]], "n": [["i", "n1"], ["i", "n2"]]},
        {"q": ["i"], "p": [["i"]], "n": []},
        {"q": None, "p": None, "n": None},
        {"q": ["i", "q4"], "p": [["i", "p4"]], "n": [["i"], ["i", "n4"]]},
    ]
    args = {"query": "q.1", "positive": "p.1", "negatives": ["n.1"]}
    for size in (None, 1):
        rows, *_ = run("pair", args, size=size, records=records)
        assert texts(rows) == [("q1", "p1"), (None, None), (None, None), ("q4", "p4")]
        assert [row["negatives"] or [] for row in rows] == [["n1", "n2"], [], [], ["n4"]]


def test_pair_leaves_out_short_texts_but_not_empty_ones():
    records = [{"q": "a b", "p": "c d"}, {"q": "a", "p": "c d"}, {"q": "a b", "p": "c"}, {"q": "", "p": "c d"}]
    rows, _, filtered = run("pair", {"query": "q", "positive": "p", "min_words": 2}, records=records)
    assert texts(rows) == [("a b", "c d"), ("", "c d")]
    assert filtered == {"short-text": 2}


def test_pair_with_several_positives():
    records = [{"q": "a", "p": ["x", "y"]}, {"q": "b", "p": []}, {"q": "c", "p": ["z"]}]
    rows, *_ = run("pair", {"query": "q", "positive": "p"}, records=records)
    assert texts(rows) == [("a", "x"), ("b", None), ("c", "z")]
    rows, *_ = run("pair", {"query": "q", "positive": "p", "positives": "all"}, records=records)
    assert [(*t, row["record"]) for t, row in zip(texts(rows), rows, strict=True)] == [
        ("a", "x", 0), ("a", "y", 0), ("c", "z", 2)]  # fmt: skip


@pytest.mark.parametrize("size", [None, 1])
def test_pair_with_the_best_of_several_positives(size):
    lists = [
        (["x", "y"], [1, 7]),
        (["z", "w"], [4, 4]),
        ([], []),
        (None, None),
        (["u", "v"], [9]),
        (["r", "s"], [None, -3]),
    ]
    records = [{"q": "q", "a": {"t": texts, "s": scores}} for texts, scores in lists]
    rows, *_ = run("pair", {"query": "q", "positive": "a.t", "scores": "a.s"}, size=size, records=records)
    assert [row["positive"] for row in rows] == ["y", "z", None, None, None, "s"]


@pytest.mark.parametrize("size", [None, 1, 2])
def test_pair_stops_at_a_limit(size):
    records = [{"q": f"q{n}", "p": "p"} for n in range(5)]
    rows, *_ = run("pair", {"query": "q", "positive": "p", "limit": 3}, size=size, records=records)
    assert [row["query"] for row in rows] == ["q0", "q1", "q2"]


def test_pair_below_lists_of_structs():
    records = [{"q": "a", "p": [{"t": "x"}], "n": [{"t": "n1"}, {"t": "n2"}]}, {"q": "b", "p": [], "n": None},
               {"q": "c", "p": None, "n": [{"t": "n3"}]}]  # fmt: skip
    for size in (None, 1):
        rows, *_ = run("pair", {"query": "q", "positive": "p.t", "negatives": ["n.t"]}, size=size, records=records)
        assert texts(rows) == [("a", "x"), ("b", None), ("c", None)]
        assert [row["negatives"] for row in rows] == [["n1", "n2"], [], ["n3"]]


def test_pair_with_several_positives_in_one_text():
    records = [{"q": "a", "p": "x.;\ny; z"}, {"q": "b", "p": " "}, {"q": "c", "p": None}, {"q": "d", "p": "w"}]
    args = {"query": "q", "positive": "p", "separator": ";\n", "may_lack_positive": True}
    rows, _, filtered = run("pair", args, records=records)
    assert texts(rows) == [("a", "x."), ("d", "w")]
    assert [row["record"] for row in rows] == [0, 3]
    assert filtered == {"no-positive": 2}


def test_language_by_row():
    langs = {"query_lang": {"column": "l", "map": {"xx": "zza-Latn"}}, "positive_lang": "eng-Latn"}
    records = [{"q": "q", "p": "p", "l": code} for code in ("de", "Welsh", "xx", "roa", "Nolang", None)]
    rows, *_ = run("pair", {"query": "q", "positive": "p"}, langs, records=records)
    assert [row["query_lang"] for row in rows] == ["deu-Latn", "cym-Latn", "zza-Latn", "roa", "Nolang", None]
    assert {row["positive_lang"] for row in rows} == {"eng-Latn"}


NLI = {"entailed": "entailment", "others": ["neutral", "contradiction"], "unlabelled": ["-"]}


def nli(*rows):
    return [dict(zip(("premise", "hypothesis", "label"), row, strict=True)) for row in rows]


@pytest.mark.parametrize("size", [None, 1, 2])
def test_nli_groups_in_order_of_first_appearance(size):
    records = nli(
        ("B", "b-", "contradiction"), ("A", "a+", "entailment"), ("B", "b+", "entailment"), ("A", "a~", "neutral"),
        ("C", "c~", "neutral"), ("B", "b++", "entailment"), ("B", "b~", "neutral"), ("A", "no", "-"),
        ("A", "?", "maybe"), ("", "e", "entailment"),
    )  # fmt: skip
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


def labelled(pairs):
    return [{"x": text, "y": label} for text, label in pairs]


def test_clustering():
    pairs = [("a1", "a"), ("b1", "b"), ("a2", "a"), ("solo", "c"), ("a2 ", "a"), ("", "a"), ("x", None), ("b2", "b")]
    rows, bad, filtered = run("label", CLUSTER, records=labelled(pairs))
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
    one, two = ({(r["query"], r["label"]): r["positive"] for r in run("label", CLUSTER, records=labelled(p), size=3)[0]}
                for p in (pairs, shuffled))  # fmt: skip
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
        ("t", "good", ["bad"], "good"), ("u", "bad", ["good"], "bad")]  # fmt: skip
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


def test_conversation_with_labelled_input():
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
        ("eng-Latn", "python-Code"), ("eng-Latn", "cpp-Code")]  # fmt: skip


@pytest.mark.parametrize("size", [None, 1, 2])
def test_code_from_the_top_of_a_file(size):
    records = [{"q": f"q{n}", "p": f"p{n}"} for n in range(5)]
    rows, _, filtered = run("code", {"query": "q", "positive": "p", "records": 3}, size=size, records=records)
    assert texts(rows) == [("q0", "p0"), ("q1", "p1"), ("q2", "p2")]
    assert filtered == {"held-out": 2}


def qrels(judgements, size=None, ids=str, more=None, **judged):
    args = {"queries": {"id": "i", "text": "t"}, "corpus": {"id": "i", "text": ["h", "t"]}, "judgements": judged}
    return run(
        "qrels", args | (more or {}), size=size, judgements=judgements,
        queries=[{"i": ids(n), "t": f"q{n}"} for n in (2, 1, 3)],
        corpus=[{"i": ids(n), "h": "H" if n == 10 else None, "t": f"d{n}"} for n in (13, 12, 11, 10, 12)],
    )  # fmt: skip


@pytest.mark.parametrize("size", [None, 1, 2])
@pytest.mark.parametrize("ids", [str, int])
def test_qrels_with_scores(size, ids):
    judged = [
        (1, 11, 0),
        (1, 10, 1),
        (2, 99, 1),
        (2, 12, 1),
        (1, 12, 1),
        (3, 11, 0),
        (9, 10, 1),
        (2, 11, 0),
        (1, 11, 0),
    ]
    rows, bad, filtered = qrels(
        [{"q": ids(q), "d": ids(d), "s": s} for q, d, s in judged], size, ids, query="q", document="d", score="s"
    )
    assert [(row["query"], row["positive"], row["negatives"], row["record"]) for row in rows] == [
        ("q1", "H d10", ["d11"], 1), ("q2", "d12", ["d11"], 3)]  # fmt: skip
    assert filtered == {"no-positive": 1}
    assert sorted(bad) == [("judgements", 2, "missing-document"), ("judgements", 6, "missing-query")]


@pytest.mark.parametrize("size", [None, 1, 3])
def test_qrels_with_triples(size, monkeypatch):
    module = shape("qrels")
    monkeypatch.setattr(module, "_SPILL", 2)
    monkeypatch.setattr(module, "_BYTES", 1)
    monkeypatch.setattr(module, "_ROWS", 1)
    triples = [(1, 10, 11), (2, 12, 13), (1, 10, 12), (1, 10, 11), (1, 12, 13), (2, 12, 99)]
    rows, bad, _ = qrels(
        [{"q": q, "p": p, "n": n} for q, p, n in triples], size, int, {"max_negatives": 2},
        query="q", document="p", negative="n",
    )  # fmt: skip
    assert [(row["query"], row["positive"], row["negatives"], row["record"]) for row in rows] == [
        ("q1", "H d10", ["d11", "d12"], 0), ("q2", "d12", ["d13"], 1)]  # fmt: skip
    assert bad == [("judgements", 5, "missing-document")]


@pytest.mark.parametrize(
    ("positives", "expected"),
    [
        ("first", [("q1", "H d10", 0), ("q2", "d12", 3)]),
        ("best", [("q1", "d11", 1), ("q2", "d12", 3)]),
        ("all", [("q1", "H d10", 0), ("q1", "d11", 1), ("q1", "d13", 2), ("q2", "d12", 3)]),
    ],
)
def test_qrels_with_several_positives(positives, expected, monkeypatch):
    monkeypatch.setattr(shape("qrels"), "_ROWS", 2)
    judged = [(1, 10, "1"), (1, 11, "2"), (1, 13, "2"), (2, 12, "1"), (1, 12, "0")]
    rows, *_ = qrels(
        [{"q": str(q), "d": str(d), "s": s} for q, d, s in judged], more={"positives": positives},
        query="q", document="d", score="s",
    )  # fmt: skip
    assert [(row["query"], row["positive"], row["record"]) for row in rows] == expected
    assert all(row["negatives"] == (["d12"] if row["query"] == "q1" else []) for row in rows)


def test_qrels_need_scores_to_tell_the_best():
    with pytest.raises(ManifestError, match="needs a `score`"):
        qrels([{"q": "1", "d": "10"}], more={"positives": "best"}, query="q", document="d")


def test_qrels_positive_language_by_document():
    langs = {"query_lang": "eng-Latn", "positive_lang": {"column": "l"}}
    args = {"queries": {"id": "i", "text": "t"}, "corpus": {"id": "i", "text": "t"},
            "judgements": {"query": "q", "document": "d", "score": "s"}}  # fmt: skip
    rows, *_ = run(
        "qrels", args, langs, queries=[{"i": "1", "t": "q"}], corpus=[{"i": "2", "t": "d", "l": "fi"}],
        judgements=[{"q": "1", "d": "2", "s": 1}],
    )  # fmt: skip
    assert [(row["query_lang"], row["positive_lang"]) for row in rows] == [("eng-Latn", "fin-Latn")]


def test_qrels_positive_language_by_name_of_a_programming_language():
    langs = {"query_lang": "eng-Latn", "positive_lang": {"column": "l", "map": {"Sh": "bash-Code"}}}
    args = {"queries": {"id": "i", "text": "t"}, "corpus": {"id": "i", "text": "t", "code": True},
            "judgements": {"query": "q", "document": "d"}}  # fmt: skip
    names = ["C++", "Sh", "lua", "", None]
    rows, *_ = run(
        "qrels", args, langs, queries=[{"i": f"q{n}", "t": "q"} for n in range(5)],
        corpus=[{"i": f"d{n}", "t": "d", "l": name} for n, name in enumerate(names)],
        judgements=[{"q": f"q{n}", "d": f"d{n}"} for n in range(5)],
    )  # fmt: skip
    assert [row["positive_lang"] for row in rows] == ["cpp-Code", "bash-Code", "lua-Code", "eng-Latn", "eng-Latn"]


def test_pair_with_the_first_negatives_only():
    records = [{"q": "q", "p": "p", "n": "n1", "m": ["n2", "n3", "n4"]}, {"q": "r", "p": "p", "n": None, "m": ["n5"]},
               {"q": "s", "p": "p", "n": None, "m": None}]  # fmt: skip
    rows, *_ = run(
        "pair", {"query": "q", "positive": "p", "negatives": ["n", "m"], "max_negatives": 2}, records=records
    )
    assert [row["negatives"] for row in rows] == [["n1", "n2"], ["n5"], []]
