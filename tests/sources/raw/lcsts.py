"""`hugcyp/LCSTS`: JSON lines of a headline and a post of at most 140 characters."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("zh",)
BROKEN = ("train.jsonl", 2, "empty-positive")

_POSTS = [
    ("百年灯塔将改建为海洋博物馆", "昨日，市文物局公布了东岬灯塔的改建方案。灯塔建于1911年，1988年停用。改建后一层展出航海仪器，二层为图书室，预计明年五月开放。"),
    ("暴雪致北线列车停运三天", "受暴雪影响，北线自周一起停运。铁路部门称，积雪最深处达两米，除雪车已全部出动，预计周四恢复通车，旅客可免费退票。"),
    ("空白", ""),
    ("苹果丰收价格反降", "今年山区苹果产量比去年多三成，收购价却跌到每斤一元二角。合作社正在修建冷库，希望把一部分果子存到春节以后再卖。"),
    ("渔船救起落水工人", "清晨六点，一名码头工人不慎落水，返航的渔船听到呼救后掉头，十分钟内将他救起。医生说他只受了轻伤。"),
    ("小镇图书馆通宵开放", "为方便备考的学生，镇图书馆从本周起通宵开放，并提供热水和毛毯。馆长说，第一晚就来了四十多人。"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "hugcyp/LCSTS"
    jsonl(home / "train.jsonl", [{"summary": summary, "text": text} for summary, text in _POSTS])
    jsonl(home / "valid.jsonl", [{"summary": summary, "text": text} for summary, text in _POSTS[:2]])
