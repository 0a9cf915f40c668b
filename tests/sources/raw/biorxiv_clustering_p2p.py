"""`mteb/raw_biorxiv`: a preprint in two versions, and one without a category."""

from tests.sources.rawkit.papers import biorxiv

SUBSETS = ("en",)
BROKEN = ("train_0.jsonl.gz", 5, "unknown-label")

build = biorxiv
