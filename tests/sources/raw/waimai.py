"""`C-MTEB/waimai-classification`: reviews of food deliveries in Parquet, 1 for the good ones."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("zh",)
BROKEN = ("train-00000-of-00001.parquet", 4, "empty-query")

_REVIEWS = [
    ("送餐很快，汤还是热的，饺子皮薄馅大", 1), ("等了两个小时，菜都凉了", 0), ("味道一般，分量倒是足", 0), ("小哥态度好，下次还点", 1), ("  ", 1),
    ("少送了一份米饭，打电话也没人接", 0), ("味道不错", 1), ("味道不错", 1), ("汤洒了一半，袋子里全是油", 0),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"text": text, "label": label, "cat": None} for text, label in _REVIEWS]
    home = folder / "C-MTEB/waimai-classification/data"
    parquet(home / "train-00000-of-00001.parquet", rows)
    parquet(home / "test-00000-of-00001.parquet", rows[:2])
