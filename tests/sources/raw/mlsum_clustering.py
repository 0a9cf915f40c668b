"""`mteb/mlsum`, by topic: an article without one, and one that has no title."""

from tests.sources.rawkit import mlsum

SUBSETS = ("de", "es")
BROKEN = ("de/train/0000.parquet", 3, "unknown-label")

build = mlsum.build
