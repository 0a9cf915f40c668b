"""`mteb/mtop_intent`: JSON lines by language, numbers of classes that differ between them."""

from pathlib import Path

from tests.sources.rawkit import mtop

SUBSETS = ("fr", "hi")
BROKEN = ("fr/train.jsonl", 2, "unknown-label")


def build(folder: Path) -> None:
    mtop.build(folder, "intent", {"label": -1, "label_text": ""})
