"""`m-a-p/COIG-CQIA`: JSON lines, a folder a part, and one file at the top that holds them all."""
# ruff: noqa: E501 - rows of data

from pathlib import Path
from typing import Any

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("zh",)
BROKEN = ("ruozhiba_ruozhiba.jsonl", 2, "empty-positive")

_PARTS = {
    "ruozhiba/ruozhiba_ruozhiba": [
        ("既然鱼一直在水里，它会渴吗？", "", "淡水鱼靠鳃和体表吸水，几乎不用喝水，谈不上渴。"),
        ("把闹钟关掉，时间会停吗？", "", "不会，闹钟只是提醒，时间照常走。"),
        ("影子怕黑吗？", "", ""),
        ("冰箱里的灯谁来关？", "", "门边的开关在关门时把灯断电。"),
    ],
    "exam/coig_exam": [
        ("下列哪一项属于可再生能源？", "A. 煤炭\nB. 风能\nC. 石油", "B。风能可以不断得到补充。"),
        ("解释成语“画蛇添足”。", "", "比喻做了多余的事，反而不好。"),
        ("阅读材料，概括主旨。", "小河清了，鱼又回来了，孩子们在岸边数白鹭。", "环境变好，生机回到了小河。"),
    ],
    "segmentfault/segmentfault": [
        ("Python 里怎样反转列表？", "", "用 `items[::-1]` 得到新列表，或用 `items.reverse()` 就地反转。"),
        ("git 如何撤销最近一次提交但保留改动？", "", "运行 `git reset --soft HEAD~1`。"),
    ],
    "chinese_traditional/poem": [
        ("请写出“床前明月光”的下一句。", "", "下一句是“疑是地上霜”。"),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "m-a-p/COIG-CQIA"
    everything: list[dict[str, Any]] = []
    for part, rows in _PARTS.items():
        records = [
            {"instruction": asked, "input": about, "output": told,
             "task_type": {"major": ["问答"], "minor": ["逻辑问答"]}, "domain": ["通用"],
             "metadata": "暂无元数据信息", "answer_from": "human", "human_verified": True, "copyright": "暂无版权及作者信息"}
            for asked, about, told in rows
        ]  # fmt: skip
        write_jsonl(home / f"{part}.jsonl", records)
        everything += records
    write_jsonl(home / "COIG-CQIA-full.jsonl", everything)
