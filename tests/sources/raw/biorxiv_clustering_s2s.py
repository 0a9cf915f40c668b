"""`mteb/raw_biorxiv`, titles alone: the two versions of a preprint share theirs, one has none."""

from tests.sources.rawkit.papers import biorxiv

SUBSETS = ("en",)
BROKEN = ("train_0.jsonl.gz", 6, "empty-query")

build = biorxiv
