"""`mteb/raw_medrxiv`: a preprint without a category."""

from tests.sources.rawkit.papers import medrxiv

SUBSETS = ("en",)
BROKEN = ("train_0.jsonl.gz", 3, "unknown-label")

build = medrxiv
