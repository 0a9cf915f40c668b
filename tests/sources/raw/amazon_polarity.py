"""`mteb/amazon_polarity`: JSON lines, a title and an empty line before each review."""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("en",)
BROKEN = ("train.jsonl", 5, "empty-query")

_REVIEWS = [
    ("Sturdy kettle", "Boils a litre in three minutes and the handle stays cool.", 1),
    ("Came apart", 'The "solid oak" shelf is glued chipboard. It bent under ten books.', 0),
    ("A book to keep", "I lent my first copy and never saw it again, so I bought two.", 1),
    ("Not for small hands", "My daughter could not press the keys. We sent it back.", 0),
    ("", "No title, but five good years from this lamp.", 1),
    ("", "", 0),
    ("Wrong size twice", "Ordered a 42, got a 40, exchanged it for another 40.", 0),
    ("Gentle on old records", "The needle tracks lightly and the hum is gone.", 1),
    ("Battery lasts an hour", "Less than half of what the box promises.", 0),
    ("Hält, was es verspricht", "Bought it in Graz: works here just as well.", 1),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "mteb/amazon_polarity"
    rows = [
        {"text": f"{title}\n\n{review}", "label": label, "label_text": ["negative", "positive"][label]}
        for title, review, label in _REVIEWS
    ]
    write_jsonl(home / "train.jsonl", rows)
    write_jsonl(home / "test.jsonl", [rows[0] | {"text": "held out"}])
