"""`mteb/emotion` at the cleaned revision: Parquet, lower-case messages without punctuation, six classes."""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl, write_parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 4, "empty-query")

_NAMES = ["sadness", "joy", "love", "anger", "fear", "surprise"]
_TRAIN = [
    ("i miss the house by the canal more than i say", 0),
    ("i feel grey and slow since the dog died", 0),
    ("i passed the last exam and danced home", 1),
    ("i feel light as if school were out", 1),
    ("", 2),
    ("i could look at my sleeping son for hours", 2),
    ("i feel so fond of that clumsy old man", 2),
    ("i slammed the door because he lied again", 3),
    ("i am sick of being talked over at work", 3),
    ("i heard steps in the attic and could not move", 4),
    ("i feel uneasy about the flight tomorrow", 4),
    ("i did not expect the choir to start singing in the shop", 5),
]
_VALIDATION = [("i opened the parcel and gasped", 5), ("i feel alone at these parties", 0)]


def build(folder: Path) -> None:
    home = folder / "mteb/emotion"
    for split, messages in (("train", _TRAIN), ("validation", _VALIDATION), ("test", [("held out", 1)])):
        rows: list[dict[str, object]] = [
            {"text": text, "label": label, "label_text": _NAMES[label]} for text, label in messages
        ]
        write_parquet(home / f"data/{split}-00000-of-00001.parquet", rows)
    write_jsonl(home / "train.jsonl", [{"text": "old layout", "label": 1, "label_text": "joy"}])
