"""`mteb/mtop_domain`: JSON lines by language, numbers of classes that differ between them."""

from pathlib import Path

from tests.sources.rawkit import mtop

SUBSETS = ("hi", "fr")
BROKEN = ("hi/train.jsonl", 2, "empty-query")


def build(folder: Path) -> None:
    mtop.build(folder, "domain", {"text": None})
