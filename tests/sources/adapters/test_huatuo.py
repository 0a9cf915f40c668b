"""Huatuo's lists, whatever their depth."""

import pytest

from tests.support.shaping import run, texts


@pytest.mark.parametrize(
    ("questions", "expected"),
    [(["q1", "q2"], "q1"), ([["q1", "q2"], ["q3"]], "q1"), ([["q1"]], "q1"), ("q1", "q1"), ([[], ["q2"]], "q2")],
)
def test_first_question_and_first_answer(questions, expected):
    record = {"questions": questions, "answers": ["a1", "a2"]}
    rows, *_ = run("huatuo", {}, records=[record, record])
    assert texts(rows) == [(expected, "a1")] * 2


@pytest.mark.parametrize("size", [None, 1])
def test_answers_joined(size):
    records = [{"questions": ["q1"], "answers": ["a", "b"]}, {"questions": ["q2"], "answers": ["c"]},
               {"questions": [], "answers": []}]  # fmt: skip
    rows, *_ = run("huatuo", {"separator": "；"}, size=size, records=records)
    assert texts(rows) == [("q1", "a；b"), ("q2", "c"), (None, "")]
