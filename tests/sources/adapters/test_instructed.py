"""Queries that hold their instruction, and several positives."""

from tests.support.shaping import run

ARGS: dict = {}


def test_the_instruction_is_taken_off_and_no_positive_becomes_a_negative():
    records = [
        {
            "query": "Instruct: Find it.\nQuery: how high?",
            "pos": ["31 m", "thirty-one"],
            "neg": ["12 m", "thirty-one"],
        },
        {"query": "Instruct: Find the answer. \n Query: how old?", "pos": ["180 years"], "neg": []},
        {"query": "a bare query", "pos": ["answer"], "neg": ["other"]},
        {"query": "Instruct: Nothing follows.", "pos": ["x"], "neg": ["y"]},
    ]
    rows, bad, _ = run("instructed", ARGS, records=records)
    assert bad == []
    assert [(row["query"], row["positive"], row["negatives"]) for row in rows] == [
        ("how high?", "31 m", ["12 m"]),
        ("how old?", "180 years", []),
        ("a bare query", "answer", ["other"]),
        ("Instruct: Nothing follows.", "x", ["y"]),
    ]


def test_there_are_at_most_so_many_negatives():
    records = [{"query": "q", "pos": ["p"], "neg": [str(n) for n in range(9)]}]
    rows, *_ = run("instructed", {"max_negatives": 3}, records=records)
    assert rows[0]["negatives"] == ["0", "1", "2"]
