"""`mteb/raw_medrxiv`, titles alone: one record has none."""

from tests.sources.rawkit.papers import medrxiv

SUBSETS = ("en",)
BROKEN = ("train_0.jsonl.gz", 5, "empty-query")

build = medrxiv
