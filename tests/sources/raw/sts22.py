"""`mteb/sts22-crosslingual-sts`, the English pairs."""

from tests.sources.rawkit.sts22 import build  # noqa: F401 - the fixture's

SUBSETS = ("en",)
BROKEN = ("en/train.jsonl", 3, "empty-positive")
