"""`fenffef/cmnli`, converted: translated pairs with labels in words, `-` where annotators disagree."""

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("zh",)
BROKEN = ("default/train/0000.parquet", 5, "unknown-label")

_PAIRS = [
    ("是的，我想他去年搬到了波士顿，嗯，现在在一家银行工作。", "他在银行上班。", "entailment"),
    ("是的，我想他去年搬到了波士顿，嗯，现在在一家银行工作。", "他住在芝加哥。", "contradiction"),
    ("是的，我想他去年搬到了波士顿，嗯，现在在一家银行工作。", "他喜欢他的工作。", "neutral"),
    ("这座教堂建于十二世纪，屋顶后来重修过。", "教堂的屋顶不是最初的。", "entailment"),
    ("这座教堂建于十二世纪，屋顶后来重修过。", "教堂没有屋顶。", "contradiction"),
    ("委员会将在十月份公布报告。", "报告还没有公布。", "entailed"),
    ("委员会将在十月份公布报告。", "报告将在秋天公布。", "entailment"),
    ("哦，我不知道，大概三十美元吧。", "价格可能是三十美元。", "entailment"),
    ("哦，我不知道，大概三十美元吧。", "那太贵了。", "-"),
    ("渔船在暴风雨之前都回来了。", "渔民很害怕。", "neutral"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"sentence1": a, "sentence2": b, "label": label, "idx": n} for n, (a, b, label) in enumerate(_PAIRS)]
    home = folder / "fenffef/cmnli/default"
    parquet(home / "train/0000.parquet", rows)
    parquet(home / "validation/0000.parquet", rows[:2])
