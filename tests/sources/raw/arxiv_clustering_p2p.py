"""`mteb/raw_arxiv`: titles and abstracts with the line breaks of arXiv's own records; the class is lost in one."""

from tests.sources.rawkit.papers import EVERY, arxiv

SUBSETS = ("en",)
BROKEN = ("train_0.jsonl.gz", 8 * EVERY, "unknown-label")

build = arxiv
