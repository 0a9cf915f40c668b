"""`SirlyDreamer/THUCNews`: one large file of JSON lines, sorted by section; a record was cut."""

import json
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("THUCNews.jsonl", 6, "invalid-json")

_NEWS = [
    (
        "体育",
        "主队加时险胜",
        "　　昨晚的比赛打到加时，主队最后一秒罚球得手，以一分险胜。\n　　赛后教练称赞了替补球员。",
    ),
    ("体育", "少年棋手夺冠", "　　十四岁的棋手在决赛中执白中盘胜，成为最年轻的冠军。"),
    ("体育", "冰场提前开放", "　　城北冰场因天气寒冷提前两周开放。"),
    ("财经", "大豆价格回落", "　　受丰收预期影响，大豆价格连续三天回落。"),
    ("财经", "小银行上调利率", "　　三家小银行本周上调了一年期存款利率。"),
    ("家居", "小户型如何放书", "　　设计师建议把书架做到天花板，并留出一格放灯。"),
    ("家居", "被截断的一条", "　　这一行没有写完。"),
    ("家居", "竹地板怎么保养", "　　竹地板怕水，拖地时要拧干。"),
    ("星座", "本周运势", "　　适合整理旧物。"),
    ("科技", "", "　　新款手表可以连续使用十天，不带充电器也能出差。"),
    ("科技", "工程师造出会折叠的无人机", "　　无人机折叠后能放进大衣口袋。"),
]


def build(folder: Path) -> None:
    lines = [json.dumps({"title": t, "text": x, "label": label}, ensure_ascii=False) for label, t, x in _NEWS]
    lines[6] = lines[6][: len(lines[6]) // 2]
    home = folder / "SirlyDreamer/THUCNews"
    home.mkdir(parents=True, exist_ok=True)
    (home / "THUCNews.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
