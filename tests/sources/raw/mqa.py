"""`clips/mqa`, converted: a folder a language and kind; answers are lists of objects, the body is often empty."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("is", "no", "th")
BROKEN = ("is-faq-question/train/0000.parquet", 2, "empty-positive")

_QUESTIONS = {
    "is": [
        ("Hvenær fer ferjan á sunnudögum?", "", [("Ferjan fer klukkan 10 og 16, og þarf að bóka daginn áður.", None)]),
        ("Má taka hund með í bátinn?", "Hann er lítill og vanur sjó.", [("Já, en hann verður að vera í bandi.", False), ("Hundar eru velkomnir á efra þilfari.", True)]),
        ("Hvað kostar fyrir börn?", "", []),
        ("Hvar er næsta bílastæði?", "", [("Við höfnina, gjaldfrjálst til klukkan 18.", None)]),
        ("Er hægt að fá miðann endurgreiddan?", "", [("Já, ef hætt er við degi fyrir brottför.", None)]),
    ],
    "no": [
        ("Hvor lenge varer garantien?", "", [("Garantien varer i fem år fra kjøpsdato.", None)]),
        ("Kan jeg vaske ullteppet i maskin?", "", [("Ja, på ullprogram og høyst 30 grader.", None)]),
        ("Hvordan endrer jeg adressen min?", "", [("Logg inn, og velg Min side.", None)]),
    ],
    "th": [
        ("เปลี่ยนวันเดินทางได้หรือไม่", "", [("เปลี่ยนได้หนึ่งครั้งก่อนเดินทางสามวัน", None)]),
        ("มีที่จอดรถไหม", "", [("มีที่จอดรถฟรีหน้าท่าเรือ", None)]),
    ],
}  # fmt: skip
_SCHEMA = pa.schema(
    [
        ("id", pa.string()), ("text", pa.string()), ("name", pa.string()), ("domain", pa.string()), ("bucket", pa.string()),
        ("answers", pa.list_(pa.struct([("text", pa.string()), ("name", pa.string()), ("is_accepted", pa.bool_())]))),
    ]
)  # fmt: skip


def build(folder: Path) -> None:
    for language, questions in _QUESTIONS.items():
        rows = [
            {
                "id": f"{language}{number}", "text": body, "name": name, "domain": "made.example", "bucket": "2020.05",
                "answers": [{"text": text, "name": "", "is_accepted": accepted} for text, accepted in answers],
            }
            for number, (name, body, answers) in enumerate(questions)
        ]  # fmt: skip
        for kind in ("faq", "cqa"):
            home = folder / "clips/mqa" / f"{language}-{kind}-question"
            write_parquet(home / "train/0000.parquet", rows if kind == "faq" else rows[:1], _SCHEMA)
