"""`BAAI/Infinity-Instruct`: Parquet, conversations in ShareGPT's form, the language as a detector saw it."""
# ruff: noqa: E501 - rows of data

from pathlib import Path
from typing import Any

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("all",)
BROKEN = ("train-00000-of-00015.parquet", 2, "no-reply")

_TALKS = [
    ("en", ["Write a haiku about a rusty gate.", "Red flakes on my palm / the hinge still tells who passes / one note, off the key."]),
    ("zh-cn", ["怎样判断西瓜熟没熟？", "轻拍听声，沉闷的多半熟了；再看瓜脐是否凹进去。", "放多久会坏？", "常温下一周左右。"]),
    ("en", ["Explain recursion to a child."]),
    ("ko", ["用一句话介绍泉州。", "泉州是福建的古港，海上丝绸之路由此出发。"]),
    ("en", ["system:Answer in one line.", "What is a quorum?", "The fewest members who must be present to decide."]),
    ("fr", ["Donne-moi un synonyme de joie.", "Allégresse."]),
    ("zh-tw", ["請把「早安」翻成英文。", "可以說 good morning。"]),
    ("en", ["Give the plural of ox.", "It is oxen."]),
    ("en", ["Refactor: if x == True: return True else: return False", "Write `return bool(x)`; the branches only repeat the test."]),
    ("zh-cn", ["写一个反义词：宽敞", "宽敞的反义词是狭窄。"]),
]  # fmt: skip


def build(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for place, (detected, texts) in enumerate(_TALKS):
        system = int(texts[0].startswith("system:"))
        turns = [{"from": "system", "value": text.removeprefix("system:")} for text in texts[:system]]
        turns += [{"from": ("human", "gpt")[turn % 2], "value": text} for turn, text in enumerate(texts[system:])]
        label = {
            "ability_en": ["writing"],
            "ability_zh": ["写作"],
            "cate_ability_en": ["text"],
            "cate_ability_zh": ["文"],
        }
        rows.append({"id": place, "conversations": turns, "label": label if place % 4 else None,
                     "langdetect": detected, "source": "Evol", "reward": 1.5})  # fmt: skip
    home = folder / "BAAI/Infinity-Instruct"
    write_parquet(home / "Gen/train-00000-of-00015.parquet", rows[:6])
    write_parquet(home / "Gen/train-00001-of-00015.parquet", rows[6:])
    write_parquet(home / "0625/train-00000-of-00007.parquet", rows[:1])
