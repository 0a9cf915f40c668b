"""`mteb/sts22-crosslingual-sts`, the pairs that are not English."""

from tests.sources.rawkit.sts22 import build  # noqa: F401 - the fixture's

SUBSETS = ("multilingual",)
BROKEN = ("data/train.jsonl.gz", 12, "empty-query")
