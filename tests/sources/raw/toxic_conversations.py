"""`mteb/toxic_conversations_50k`: JSON lines, most comments harmless, some of them twice."""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("en",)
BROKEN = ("train.jsonl.gz", 7, "empty-query")

_COMMENTS = [
    ("The council voted for the bike lane after all; good.", 0),
    ("Only a fool with sawdust for brains would write this drivel.", 1),
    ("Where can one read the whole report?", 0),
    ("I disagree.\n\nThe bridge was closed for repairs, not for want of money.", 0),
    ("Shut up and go back under your rock, you worthless liar.", 1),
    ("Thank you for the correction, I had the year wrong.", 0),
    ("Where can one read the whole report?", 0),
    # Nothing but a byte-order mark and a no-break space: the comment was a picture once.
    ("\ufeff\xa0", 0),
    ("Salmon runs were down by a third in that river last autumn.", 0),
    ("People like him are vermin and should be treated so.", 1),
    ("He ought to resign, in my view, and soon.", 0),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "mteb/toxic_conversations_50k"
    rows = [{"text": text, "label": label, "label_text": ["not toxic", "toxic"][label]} for text, label in _COMMENTS]
    write_jsonl(home / "train.jsonl.gz", rows)
    write_jsonl(home / "test.jsonl.gz", [rows[0] | {"text": "held out"}])
