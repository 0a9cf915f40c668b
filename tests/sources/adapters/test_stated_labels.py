"""Each record has two labels of its own."""

from tests.support.shaping import run


def test_the_wrong_label_is_the_negative():
    records = [
        {"t": "The ferry is late.", "l": " travel ", "w": "food"},
        {"t": "The soup is cold.", "l": "complaint", "w": "praise"},
        {"t": "?", "l": "unsure", "w": "unsure "},
        {"t": "x", "l": None, "w": "food"},
        {"t": "y", "l": "travel", "w": ""},
    ]
    rows, bad, _ = run("stated_labels", {"text": "t", "label": "l", "wrong": "w"}, records=records)
    assert [(row["query"], row["positive"], row["negatives"], row["label"]) for row in rows] == [
        ("The ferry is late.", "travel", ["food"], "travel"),
        ("The soup is cold.", "complaint", ["praise"], "complaint"),
    ]
    assert bad == [("records", 3, "unknown-label"), ("records", 4, "unknown-label"), ("records", 2, "both-labels")]
