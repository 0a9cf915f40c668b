"""Shapes `pair` and `qrels`: queries, their documents and negatives, and the language of each."""

import pytest

from open_ml_embed.core.errors import ManifestError
from sources.shapes import shape
from tests.support.shaping import run, texts


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
        ("q1", "H d10", ["d11"], 1),
        ("q2", "d12", ["d11"], 3),
    ]
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
        [{"q": q, "p": p, "n": n} for q, p, n in triples],
        size,
        int,
        {"max_negatives": 2},
        query="q",
        document="p",
        negative="n",
    )
    assert [(row["query"], row["positive"], row["negatives"], row["record"]) for row in rows] == [
        ("q1", "H d10", ["d11", "d12"], 0),
        ("q2", "d12", ["d13"], 1),
    ]
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
        [{"q": str(q), "d": str(d), "s": s} for q, d, s in judged],
        more={"positives": positives},
        query="q",
        document="d",
        score="s",
    )
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
        "qrels",
        args,
        langs,
        queries=[{"i": f"q{n}", "t": "q"} for n in range(5)],
        corpus=[{"i": f"d{n}", "t": "d", "l": name} for n, name in enumerate(names)],
        judgements=[{"q": f"q{n}", "d": f"d{n}"} for n in range(5)],
    )
    assert [row["positive_lang"] for row in rows] == ["cpp-Code", "bash-Code", "lua-Code", "eng-Latn", "eng-Latn"]


def test_pair_with_the_first_negatives_only():
    records = [{"q": "q", "p": "p", "n": "n1", "m": ["n2", "n3", "n4"]}, {"q": "r", "p": "p", "n": None, "m": ["n5"]},
               {"q": "s", "p": "p", "n": None, "m": None}]  # fmt: skip
    rows, *_ = run(
        "pair", {"query": "q", "positive": "p", "negatives": ["n", "m"], "max_negatives": 2}, records=records
    )
    assert [row["negatives"] for row in rows] == [["n1", "n2"], ["n5"], []]
