"""Judged pairs: one row a query, whatever order its records come in."""

import pytest

from open_ml_embed.core.errors import ManifestError
from sources.shapes import shape
from tests.support.shaping import run

GRADED = {"query": "q", "document": "d", "key": ["shop", "id"], "label": "l", "relevant": ["E"],
          "irrelevant": ["I", "C"], "between": ["S"]}  # fmt: skip


def graded(*rows):
    return [dict(zip(("shop", "id", "q", "d", "l"), row, strict=True)) for row in rows]


def found(rows):
    return [(row["query"], row["positive"], row["negatives"], row["record"]) for row in rows]


@pytest.mark.parametrize("spill", [0, 2, 1000])
@pytest.mark.parametrize("size", [None, 1, 3])
def test_graded_documents(size, spill, monkeypatch):
    monkeypatch.setattr(shape("judged"), "_SPILL", spill)
    monkeypatch.setattr(shape("judged"), "_ROWS", 2)
    records = graded(
        ("us", 1, "hub", "lamp", "I"),
        ("es", 2, "hub", "concentrador", "E"),
        ("us", 1, "hub", "usb hub", "E"),
        ("us", 1, "hub", "another hub", "E"),
        ("us", 1, "hub", "cable", "C"),
        ("us", 1, "hub", "lamp", "I"),
        ("us", 1, "hub", "dock", "S"),
        ("us", 1, "hub", "?", "X"),
        ("us", 3, "pen", "ink", "I"),
        ("us", 4, "cup", " ", "E"),
        ("us", 4, "cup", "mug", "E"),
        ("us", 5, None, "x", "E"),
    )
    rows, bad, filtered = run("judged", GRADED, size=size, records=records)
    assert found(rows) == [
        ("hub", "concentrador", [], 1),
        ("hub", "usb hub", ["lamp", "cable"], 2),
        ("cup", "mug", [], 10),
    ]
    assert sorted(bad) == [("records", 7, "unknown-label"), ("records", 9, "empty-positive"),
                           ("records", 11, "empty-query")]  # fmt: skip
    assert filtered == {"neither-relevant-nor-irrelevant": 1, "no-positive": 1}


@pytest.mark.parametrize("size", [None, 1, 2])
def test_triplets_are_gathered_by_the_text_of_their_query(size):
    triplets = [("A", "p1", "n1"), ("B", "p", None), ("A", "p2", "n2"), ("A", "p1", "n1"), ("A", "p1", "n3")]
    records = [dict(zip("apn", triplet, strict=True)) for triplet in triplets]
    args = {"query": "a", "document": "p", "negatives": ["n"], "max_negatives": 2}
    rows, bad, filtered = run("judged", args, size=size, records=records)
    assert found(rows) == [("A", "p1", ["n1", "n2"], 0), ("B", "p", [], 1)]
    assert (bad, filtered) == ([], {})


def test_a_label_needs_to_be_told():
    with pytest.raises(ManifestError, match="go together"):
        run("judged", {"query": "q", "document": "d", "label": "l"}, records=graded(("us", 1, "q", "d", "E")))
