"""Lawzhidao: one CSV file of replies, those chosen as best marked; the body of many questions is empty."""
# ruff: noqa: E501 - rows of data

import csv
import io
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("lawzhidao_filter.csv", 5, "empty-positive")

_REPLIES = [
    ("邻居的树伸到我院子里能剪吗", "", "可以先请对方处理，对方不管的，您有权要求排除妨碍。", 1),
    ("邻居的树伸到我院子里能剪吗", "", "直接剪吧。", 0),
    ("租房押金不退怎么办", "合同到期已经搬走，房东说墙上有钉子眼。", "钉子眼属于正常使用，押金应当退还；协商不成可以起诉。", 1),
    ("借条没有写日期有效吗", "", "有效，但要证明借款的时间，最好补上转账记录。", 1),
    ("快递丢了按什么赔", "寄的时候没有保价", "没有保价的按实际损失赔，但要有价格的证明，合同另有约定的除外。", 1),
    ("试用期可以随时辞职吗", "", " ", 1),
    ("狗咬了人主人要赔吗", "我家狗没拴，咬了送水的。", "要赔医药费和误工费，\n除非对方故意挑逗。", 1),
    ("狗咬了人主人要赔吗", "我家狗没拴，咬了送水的。", "报警。", 0),
    ("遗嘱一定要公证吗", "", "不一定，自书遗嘱亲笔写明并签名、注明年月日就有效。", 1),
]  # fmt: skip


def build(folder: Path) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["title", "question", "reply", "is_best"])
    writer.writerows(_REPLIES)
    home = folder / "lawzhidao"
    home.mkdir(parents=True, exist_ok=True)
    (home / "lawzhidao_filter.csv").write_text(out.getvalue(), "utf-8")
