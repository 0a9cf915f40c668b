"""`C-MTEB/LCQMC`: pairs of questions to a search engine in Parquet, scored 1 or 0."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("zh",)
BROKEN = ("train-00000-of-00001.parquet", 3, "unknown-label")

_PAIRS = [
    ("喜欢打篮球的男生叫什么绰号", "爱打篮球的男生有什么外号", 1), ("灯塔怎么画", "灯塔怎么建", 0), ("灯塔怎么画", "画灯塔的步骤", 1),
    ("哪里可以看海", "海在哪里", 2), ("苹果几月份成熟", "苹果是几月熟的", 1), ("苹果几月份成熟", "苹果多少钱一斤", 0),
    ("手机屏幕碎了怎么办", "手机屏碎了如何处理", 1), ("手机屏幕碎了怎么办", "手机没电了怎么办", 0), ("怎样腌咸菜", "咸菜的腌制方法", 1),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"sentence1": a, "sentence2": b, "score": score} for a, b, score in _PAIRS]
    home = folder / "C-MTEB/LCQMC/data"
    parquet(home / "train-00000-of-00001.parquet", rows)
    parquet(home / "validation-00000-of-00001.parquet", rows[:1])
    parquet(home / "test-00000-of-00001.parquet", rows[:1])
