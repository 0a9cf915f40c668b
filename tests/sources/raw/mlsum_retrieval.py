"""`mteb/mlsum`, summaries and articles: one summary is empty."""

from tests.sources.rawkit import mlsum

SUBSETS = ("de", "ru", "tr")
BROKEN = ("de/train/0000.parquet", 4, "empty-query")

build = mlsum.build
