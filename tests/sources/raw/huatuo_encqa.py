"""`FreedomIntelligence/huatuo_encyclopedia_qa`: JSON lines, paraphrases of a question in a list of lists."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("train_datasets.jsonl", 3, "empty-query")

_RECORDS = [
    ([["什么是风疹？", "风疹是怎样的病？"]], ["风疹是由风疹病毒引起的急性呼吸道传染病，以低热、皮疹和耳后淋巴结肿大为特点。"]),
    ([["骨质疏松要注意什么"]], ["应多晒太阳，适量运动，饮食中增加奶类和豆制品，并防止跌倒。"]),
    ([["布洛芬的用法用量"], ["布洛芬怎么吃？"]], ["成人一次一片，一日两到三次，饭后服用；连用不得超过五天。"]),
    ([[]], ["银屑病不是感染所致，不会传染。"]),
    ([["幽门螺杆菌怎么检查？"]], ["常用碳13或碳14呼气试验，也可以在胃镜下取活检。"]),
    ([["新生儿黄疸几天退？"]], ["生理性黄疸多在出生后两到三天出现，足月儿两周内消退。"]),
    ([["什么叫窦性心律不齐"]], ["指窦房结发出的冲动节律不匀，青少年中常见，多与呼吸有关，一般不需治疗。"]),
    ([["手足口病的传播途径是什么？"]], ["主要经粪口和飞沫传播，也可以由接触被污染的玩具、毛巾而感染。"]),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "FreedomIntelligence/huatuo_encyclopedia_qa"
    home.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"questions": q, "answers": a}, ensure_ascii=False) + "\n" for q, a in _RECORDS]
    (home / "train_datasets.jsonl").write_text("".join(lines), "utf-8")
    for split in ("validation", "test"):
        (home / f"{split}_datasets.jsonl").write_text('{"questions": [["留"]], "answers": ["出"]}\n', "utf-8")
