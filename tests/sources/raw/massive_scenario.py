"""`mteb/amazon_massive_scenario`: gzipped JSON lines, a file a language and split."""

from pathlib import Path

from tests.sources.rawkit import massive

SUBSETS = ("sw", "de")
BROKEN = ("train/sw.json.gz", 4, "unknown-label")


def build(folder: Path) -> None:
    massive.build(folder, "scenario", {"label": None, "label_text": None})
