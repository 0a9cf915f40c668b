"""`dirtycomputer/OCNLI`: JSON lines under the name of JSON; the label is `-` where annotators disagree."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("train.50k.json", 4, "invalid-json")

_PREMISES = [
    ("对，他们上个月刚搬到杭州去了", {"entailment": ["他们现在不住在原来的地方"], "neutral": ["他们在杭州买了房子"], "contradiction": ["他们从来没有搬过家"]}),
    ("全省粮食产量比去年增长百分之三", {"entailment": ["今年的粮食比去年多"], "contradiction": ["今年粮食减产"], "neutral": ["小麦增产最多", "农民的收入提高了"]}),
    ("老王把信折好，一句话也没说", {"entailment": ["老王没有说话", "有一封信"], "neutral": ["信是他女儿写的"]}),
    ("这部电影下周五在各地上映", {"entailment": ["电影还没有正式上映"], "contradiction": ["电影已经下线了"]}),
    ("喂，你几点到？我在出口等你", {"entailment": ["说话的人在等人"], "neutral": ["对方坐飞机来"], "contradiction": ["说话的人在家里睡觉"]}),
    ("新规定自十月一日起施行", {"neutral": ["新规定很受欢迎"], "contradiction": ["新规定已经废止"]}),
    ("她从窗口望出去，雪已经停了", {"entailment": ["之前下过雪"], "contradiction": ["外面正下着大雪"]}),
    ("球队以一比零赢得了比赛", {"entailment": ["球队进了一个球"], "neutral": ["比赛在主场进行"], "-": ["球队踢得很好"]}),
]  # fmt: skip


def build(folder: Path) -> None:
    lines = []
    for number, (premise, hypotheses) in enumerate(_PREMISES):
        for label, texts in hypotheses.items():
            for text in texts:
                record = {
                    "level": ("easy", "medium", "hard")[len(lines) % 3], "sentence1": premise, "sentence2": text,
                    "label": label, "label0": label, **{f"label{i}": None for i in range(1, 5)},
                    "genre": ("phone", "gov", "lit", "tv", "news")[number % 5], "prem_id": f"p_{number}", "id": len(lines),
                }  # fmt: skip
                lines.append(json.dumps(record, ensure_ascii=False))
    lines[4] = lines[4][:-9]
    home = folder / "dirtycomputer/OCNLI"
    home.mkdir(parents=True, exist_ok=True)
    (home / "train.50k.json").write_text("\n".join(lines) + "\n", "utf-8")
