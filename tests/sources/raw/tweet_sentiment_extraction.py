"""`mteb/tweet_sentiment_extraction` at the cleaned revision: Parquet; one tweet of the original has no text."""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl, write_parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 4, "empty-query")

_NAMES = ["negative", "neutral", "positive"]
_TWEETS = [
    ("missed the bus AGAIN and now my shoes are full of rain", 0),
    (" finally got tickets!!! see you at the front row", 2),
    ("anyone know when the library opens on sundays?", 1),
    ("ugh, this headache will not go away ****", 0),
    (None, 1),
    ("off to the shops, back by six  http://example.org/x", 1),
    ("@wrenfield that pie was the best thing i`ve eaten all year", 2),
    ("my phone died in the middle of the call, great", 0),
    ("watching the second half now", 1),
    ("first swim of the year and the water was lovely", 2),
]


def build(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": f"{number * 7919 + 4096:010x}", "text": text, "label": label, "label_text": _NAMES[label]}
        for number, (text, label) in enumerate(_TWEETS)
    ]
    home = folder / "mteb/tweet_sentiment_extraction"
    write_parquet(home / "data/train-00000-of-00001.parquet", rows)
    write_parquet(home / "data/test-00000-of-00001.parquet", [rows[0] | {"text": "held out"}])
    write_jsonl(home / "train.jsonl", [rows[0] | {"text": "old layout"}])
