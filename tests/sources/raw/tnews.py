"""`C-MTEB/TNews-classification`: headlines with numbered sections; the test split has no labels."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("zh",)
BROKEN = ("train-00000-of-00001-ef5f133fdcfafc08.parquet", 5, "unknown-label")

_HEADLINES = [
    (3, "门将扑出两个点球，客队惊险晋级"), (6, "这款小车百公里只要四度电？"), (3, "老将宣布赛季后退役，球迷不舍"),
    (13, "今年的玉米为什么卖不上价？"), (6, "二手车里程能相信吗？"), (-1, "没有标签的一条"), (13, "果园里养鹅，一举两得"),
    (10, "去海岛过冬要准备什么？"), (5, "老小区加装电梯谁来出钱？"), (10, "坐慢火车看雪是什么体验？"), (6, "二手车里程能相信吗？"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "C-MTEB/TNews-classification/data"
    rows = [{"text": text, "label": label, "idx": number} for number, (label, text) in enumerate(_HEADLINES)]
    parquet(home / "train-00000-of-00001-ef5f133fdcfafc08.parquet", rows)
    parquet(home / "validation-00000-of-00001-b1f0617526744b05.parquet", rows[:1])
    parquet(home / "test-00000-of-00001-ba95ba1b50b396ce.parquet", [{"text": "未标注", "label": -1, "idx": 0}])
