"""CMCQA: sessions of patient and doctor, several statements each; the layout is a guess, see the manifest."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("zh",)
BROKEN = ("andrology.jsonl", 2, "no-reply")

_SESSIONS = {
    "andrology.jsonl": [
        ["病人：医生您好", "医生：你好", "病人：我最近夜里总要起来三四次，白天没精神。", "医生：晚上几点以后喝水？有没有尿痛？", "病人：没有尿痛，睡前喝两杯茶。", "医生：先把睡前的茶停一周，再看夜里起几次。"],
        ["病人：体检报告说前列腺有钙化，需要治疗吗？", "医生：没有症状一般不用治疗，", "医生：半年后复查一次就可以。", "病人：谢谢医生", "医生：不客气"],
        ["病人：有人吗"],
        ["病人：请问这个药饭前吃还是饭后吃？", "医生：饭后半小时吃，对胃的刺激小一些。"],
    ],
    "obstetrics.jsonl": [
        ["病人：怀孕十二周可以坐飞机吗？", "医生：没有出血和腹痛的话可以坐，\n途中多起来走动。"],
        ["病人：产后多久可以开始运动？", "医生：顺产六周复查正常后，可以从散步开始。", "病人：剖腹产呢？", "医生：一般要等三个月，还要看伤口的恢复。"],
        ["病人：好的", "医生：好的"],
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for name, sessions in _SESSIONS.items():
        jsonl(folder / "cmcqa" / name, [{"department": name.split(".")[0], "dialogue": turns} for turns in sessions])
