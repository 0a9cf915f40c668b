"""`MBZUAI/Bactrian-X`, whose rows `tests.sources.rawkit.bactrian` invents."""

from tests.sources.rawkit.bactrian import BROKEN_AT, build

__all__ = ["BROKEN", "SUBSETS", "build"]

SUBSETS = ("all",)
BROKEN = ("de/train/0000.parquet", BROKEN_AT, "empty-query")
