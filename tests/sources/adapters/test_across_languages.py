"""Partners in another language: who is chosen, who is left out, and that neither depends on order or batches."""

import random

import pytest

from sources.adapters import across_languages
from tests.support.shaping import run

LANGS = {"query_lang": {"column": "lang", "map": {"C": "c-Code", "Go": "go-Code", "Ruby": "ruby-Code"}}}
ARGS = {"text": "code", "label": "problem", "code": True, "per_language": 3}


def record(code, problem="p", lang="C"):
    return {"code": code, "problem": problem, "lang": lang}


def pairs(records, size=None):
    rows, bad, filtered = run("across_languages", ARGS, LANGS, size, records=records)
    return {(row["query"], row["positive"]) for row in rows}, rows, bad, filtered


def test_partner_has_the_same_class_and_another_language():
    records = [
        record(f"{lang} {problem} {n}", problem, lang)
        for lang in ("C", "Go", "Ruby")
        for problem in ("p", "q")
        for n in range(3)
    ]
    _, rows, bad, filtered = pairs(records)
    assert len(rows) == len(records)
    assert not bad
    assert not filtered
    for row, raw in zip(rows, records, strict=True):
        assert row["label"] == raw["problem"] == row["positive"].split()[1]
        assert row["query_lang"] != row["positive_lang"]
        assert row["positive_lang"] == f"{row['positive'].split()[0].lower()}-Code"
    assert len({row["positive"] for row in rows if row["query_lang"] == "c-Code"}) > 2


def test_what_has_no_partner_is_left_out():
    records = [record("a"), record("b", lang="Go"), record("same", "q"), record("same", "q", "Go"),
               record("alone", "r"), record("too", "r"), record("a")]  # fmt: skip
    found, _, bad, filtered = pairs(records)
    assert found == {("a", "b"), ("b", "a")}
    assert not bad
    # The program in both languages stands alone once its repetition has gone.
    assert filtered == {"enough-of-class-and-language": 1, "same-in-two-languages": 1, "in-one-language-only": 3}


@pytest.mark.parametrize("seed", range(3))
def test_choice_depends_on_content_alone(seed, monkeypatch):
    records = [record(f"{lang}{n}", "pq"[n % 2], lang) for lang in ("C", "Go", "Ruby") for n in range(9)]
    expected, rows, _, filtered = pairs(records)
    assert len(rows) == 18
    assert filtered == {"enough-of-class-and-language": 9}
    random.Random(seed).shuffle(records)
    monkeypatch.setattr(across_languages, "_BYTES", 100)
    assert pairs(records, size=4)[0] == expected


def test_broken_records():
    _, _, bad, _ = pairs([record(" \n"), record("x", None), record("y", lang=None), record("z")])
    assert [(number, reason) for _, number, reason in bad] == [
        (0, "empty-query"),
        (1, "unknown-label"),
        (2, "unknown-language"),
    ]
