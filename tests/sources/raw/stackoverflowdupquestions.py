"""`mteb/stackoverflowdupquestions-reranking`: gzipped JSON lines with lists of duplicates and of other questions."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("en",)
BROKEN = ("train.jsonl.gz", 4, "empty-positive")

_TITLES = [
    ("How do I loop over a dictionary in Python?", ["Iterating through key and value pairs of a dict"]),
    ("Java: check whether a string is numeric", ["What is the best way to test for a number in a String?", "Is this string an integer?"]),
    ("Remove an element from a JavaScript array", ["Delete a specific item of an array in JS"]),
    ("Difference between let and var", ["When to use let instead of var in ES6?"]),
    ("How can I make a div scroll?", []),
    ("Undo a pushed commit", ["How to revert a commit that is already on the remote"]),
    ("Generate a random integer in C#", ["Random int between two bounds in .NET"]),
    ("Sorting a list of tuples by the second item", ["Order tuples by their last element"]),
    ("PHP headers already sent", ["Cannot modify header information, output started at line 1"]),
    ("Copy a list without aliasing", ["Why does changing my copied list change the first one?"]),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "mteb/stackoverflowdupquestions-reranking"
    rows = []
    for number, (query, positives) in enumerate(_TITLES):
        others = [
            title for other, _ in _TITLES if other != query for title in (other, f"{other} (again)", f"Re: {other}")
        ]
        rows.append({"query": query, "positive": positives, "negative": others if number else []})
    write_jsonl(home / "train.jsonl.gz", rows)
    write_jsonl(home / "test.jsonl.gz", rows[:1])
