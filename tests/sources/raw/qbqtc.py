"""QBQTC: JSON lines under the name of JSON; labels are digits in quotes, 2 for very relevant titles."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("train.json", 5, "unknown-label")

_JUDGED = [
    ("灯塔 门票", "灯塔景区门票多少钱_开放时间", "2"), ("灯塔 门票", "灯塔市人民医院挂号", "0"), ("灯塔 门票", "灯塔旅游攻略", "1"),
    ("苹果窖藏温度", "苹果在地窖里储存的最佳温度是多少", "2"), ("苹果窖藏温度", "苹果手机温度过高怎么办", "0"), ("木船漏水", "木船漏水如何修补", ""),
    ("木船漏水", "木船漏水怎么办?老船工教你三招", "2"), ("火车晚点赔偿", "火车晚点有没有赔偿 铁路部门回应", "2"), ("火车晚点赔偿", "火车头儿歌", "0"),
    ("没有好结果的查询", "无关的标题", "0"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "qbqtc"
    home.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": n, "query": query, "title": title, "label": label} for n, (query, title, label) in enumerate(_JUDGED)
    ]
    (home / "train.json").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
