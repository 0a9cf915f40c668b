"""`mteb/imdb`: JSON lines, reviews with their line-break markup."""

import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("train.jsonl", 11, "unknown-label")

_GOOD = ["A quiet triumph.<br /><br />Every shot earns its place.", "I laughed from the first reel to the last.",
         "The score alone is worth the ticket.", "Tender, odd, and never sentimental.",
         "Small cast, huge heart. See it twice."]  # fmt: skip
_BAD = ["Two hours I shall not get back.", "The plot forgets itself halfway.<br /><br />So did I.",
        "Wooden acting in a cardboard set.", "Loud, long and empty.", "The trailer had all three jokes."]  # fmt: skip


def build(folder: Path) -> None:
    rows = []
    for year in (1998, 2004):
        for text, label in [(t, 0) for t in _BAD] + [(t, 1) for t in _GOOD]:
            rows.append({"text": f"{text} ({year})", "label": label, "label_text": ["negative", "positive"][label]})
    rows.insert(11, {"text": "No verdict was recorded for this one.", "label": -1, "label_text": ""})
    home = folder / "mteb/imdb"
    home.mkdir(parents=True, exist_ok=True)
    (home / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "test.jsonl").write_text('{"text": "held out", "label": 1, "label_text": "positive"}\n')
