"""RefGPT: one JSON array in a zip archive, each dialogue one text with a marker before each turn."""
# ruff: noqa: E501 - rows of data

import json
import zipfile
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("RefGPT-Dataset-V1-CN.json", 3, "no-reply")

_RECORDS = [
    ("石桥村的石桥建于一七三二年，共有五个桥洞，一九五四年大水时塌了一个，第二年重修。",
     "<user> 石桥村的桥是什么时候修的？<assistant> 这座桥建于一七三二年。<user> 它后来坏过吗？\n<assistant> 坏过。一九五四年大水时塌了一个桥洞，第二年就重修了。"),
    ("海鹦在悬崖的洞里产卵，每年只产一枚，父母轮流孵四十天。",
     "<user> 海鹦把蛋下在哪里？ <assistant> 下在悬崖上的洞里。 <user> 一年下几枚？ <assistant> 只下一枚，父母轮流孵大约四十天。 <user> 谢谢！"),
    ("盐田的水要经过七个池子，每个池子比前一个咸。", "<user> 盐田为什么有这么多池子？<assistant> 水要依次流过七个池子，越来越咸，最后才能结晶。"),
    ("没有回答的一条。", "<user> 有人在吗？"),
    ("老磨坊用水轮带动两块磨石，一小时磨四十公斤麦子。", "<user> 老磨坊一小时能磨多少麦子？<assistant> 大约四十公斤。<user> 靠什么带动？<assistant> 靠河边的水轮。"),
    ("雪线以上的羊圈冬天不用。", "<user> 冬天羊圈用不用？<assistant> 雪线以上的不用。"),
    ("火车站的大钟比标准时间快一分钟。", "<user> 车站的钟准吗？<assistant> 它故意快一分钟，好让旅客不误车。"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"reference": reference, "dialogue": dialogue} for reference, dialogue in _RECORDS]
    home = folder / "refgpt"
    home.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(home / "RefGPT-Dataset-V1-CN.json.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("RefGPT-Dataset-V1-CN.json", json.dumps(rows, ensure_ascii=False, indent=1))
