"""CLIRMatrix: which of the judged articles are positive, which negative."""

import json

import pytest

from tests.support.shaping import run

LANGS = {"query_lang": "yid-Hebr", "positive_lang": "eng-Latn"}
CORPUS = [{"id": str(n), "text": f"article {n}"} for n in range(10)]


def judged(*titles):
    return [
        {"text": line if isinstance(line, str) else json.dumps({"src_id": key, "src_query": key, "tgt_results": line})}
        for key, line in titles
    ]


@pytest.mark.parametrize("size", [None, 1])
def test_best_is_positive_and_worst_but_retrieved_are_negative(size):
    lines = judged(
        ("a", [["3", 4], ["1", 6], ["2", 6], ["4", 2], ["5", 0], ["6", 1], ["7", 3], ["8", 2]]),
        ("b", [["2", 1], ["1", 5], ["3", 4]]),
        ("c", []),
        ("e", [["5", 4], ["2", 1]]),
        ("d", [["9", 6]]),
    )
    rows, bad, filtered = run("clirmatrix", {"max_negatives": 2}, LANGS, size, judgements=lines, corpus=CORPUS)
    assert [(row["query"], row["positive"], row["negatives"], row["record"]) for row in rows] == [
        ("a", "article 1", ["article 4", "article 6"], 0),
        ("b", "article 1", ["article 2"], 1),
        ("d", "article 9", [], 4),
    ]
    assert {(row["query_lang"], row["positive_lang"]) for row in rows} == {("yid-Hebr", "eng-Latn")}
    assert not bad
    assert filtered == {"no-result": 1, "score-below-5": 1}


def test_broken_lines_and_articles_that_are_not_there():
    lines = judged(
        ("a", '{"src_id": "a", "src_'),
        ("b", [["1", 6, 1]]),
        ("c", '{"src_id": "c", "src_query": null, "tgt_results": []}'),
        ("d", [["77", 6], ["1", 2]]),
        ("e", [["1", 6]]),
    )
    rows, bad, _ = run("clirmatrix", {}, LANGS, judgements=lines, corpus=CORPUS)
    assert [(row["query"], row["record"]) for row in rows] == [("e", 4)]
    assert bad == [("judgements", 0, "invalid-json"), ("judgements", 1, "wrong-type"), ("judgements", 2, "wrong-type"),
                   ("judgements", 3, "missing-document")]  # fmt: skip


def test_no_title_at_all():
    assert run("clirmatrix", {}, LANGS, judgements=judged(("a", [])), corpus=CORPUS)[0] == []
