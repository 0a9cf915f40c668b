"""`mteb/sts12-sts`: gzipped JSON lines with scores from 0 to 5."""
# ruff: noqa: E501 - rows of data

import gzip
import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("train.jsonl.gz", 7, "no-score")

_PAIRS = [
    ("The council approved the budget late on Tuesday.", "Late Tuesday the budget was passed by the council.", 4.75),
    ("A woman is peeling an onion.", "A woman peels an onion.", 5.0), ("A boy jumps into a pool.", "A boy is reading.", 0.5),
    ("Madam President, I should like to thank the rapporteur.", "Madam President, my thanks go to the rapporteur.", 4.0),
    ("A man plays chess.", "A man is playing a game.", 3.4), ("The shares closed at 14.20 dollars.", "The stock ended the day at $14.20.", 4.4),
    ("Two dogs run along a beach.", "A pair of dogs is running on the beach.", 4.8), ("Somebody is cooking.", "A person cooks rice.", None),
    ("The vote in MarÃ\xadn will take place tomorrow at noon.", "MarÃ\xadn votes at twelve o'clock tomorrow.", 4.25),
    ("A train enters a station.", "A bus leaves a garage.", 1.0), ("He denied all the charges.", "He pleaded guilty to all charges.", 1.6),
    ("A panda is eating bamboo.", "A panda bear eats some bamboo.", 4.6),
]  # fmt: skip


def build(folder: Path) -> None:
    lines = [json.dumps({"sentence1": a, "sentence2": b, "score": score}) for a, b, score in _PAIRS]
    home = folder / "mteb/sts12-sts"
    home.mkdir(parents=True, exist_ok=True)
    (home / "train.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    (home / "test.jsonl.gz").write_bytes(gzip.compress(lines[0].encode(), mtime=0))
