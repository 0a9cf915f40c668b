"""`mteb/sts22-crosslingual-sts`, the pairs that are not English."""

from tests.sources.rawkit.sts22 import build  # noqa: F401 - the fixture's

SUBSETS = ("multilingual",)
BROKEN = ("pl/train.jsonl", 0, "empty-query")
