"""SimCLUE: a zip archive with several files of JSON lines, of which the triples are taken."""
# ruff: noqa: E501 - rows of data

import json
import zipfile
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("train_rank.json", 3, "empty-positive")

_TRIPLES = [
    ("灯塔看守人的工作是什么", "守灯塔的人平时做些什么", "灯塔是谁发明的"), ("灯塔看守人的工作是什么", "守灯塔的人平时做些什么", "灯塔有多高"),
    ("两个人在海边跑步", "有人在沙滩上跑", "两个人在海里游泳"), ("没有相似句", "", "另一句"), ("怎么关闭自动还款", "自动还款怎么取消", "怎么提前还款"),
    ("冬天的苹果放在哪里好", "苹果冬天应该存放在什么地方", "冬天吃苹果好不好"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "simclue"
    home.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"query": q, "title": t, "neg_title": n}, ensure_ascii=False) for q, t, n in _TRIPLES]
    with zipfile.ZipFile(home / "simclue_public.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_rank.json", "\n".join(lines) + "\n")
        archive.writestr("train_pair_postive.json", json.dumps({"query": "甲", "title": "乙"}) + "\n")
        archive.writestr("corpus.txt", "灯塔有多高\n")
