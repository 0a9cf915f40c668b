"""`mteb/raw_arxiv`, titles alone: one record has none."""

from tests.sources.rawkit.papers import EVERY, arxiv

SUBSETS = ("en",)
BROKEN = ("train_0.jsonl.gz", 9 * EVERY, "empty-query")

build = arxiv
