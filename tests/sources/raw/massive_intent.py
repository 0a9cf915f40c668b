"""`mteb/amazon_massive_intent`: gzipped JSON lines, a file a language and split."""

from pathlib import Path

from tests.sources.rawkit import massive

SUBSETS = ("de", "sw")
BROKEN = ("train/de.json.gz", 4, "empty-query")


def build(folder: Path) -> None:
    massive.build(folder, "intent", {"text": " "})
