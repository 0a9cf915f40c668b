"""`Den4ikAI/mailruQA-big`: short questions and short answers of a forum in CSV; the header is a guess."""

import csv
import io
from pathlib import Path

SUBSETS = ("ru",)
BROKEN = ("dataset.csv", 3, "empty-positive")

_PAIRS = [
    ("Чем отмыть смолу с рук?", "Подсолнечным маслом, потом мылом."),
    ("Почему кошка трётся о ноги?", "Метит, значит вы свои)))"),
    ("Сколько варить яйцо всмятку, если оно из холодильника?", "4 минуты после закипания"),
    ("Кто в теме?", ""),
    ("Как называется птица, которая кричит \"пить-пилить\"?", "Перепел"),
    ("Где лучше хранить лук, на балконе или в кухне?", "В сухом месте, на балконе помёрзнет"),
    ("Можно ли поливать кактус зимой?", "Раз в месяц, чуть-чуть"),
    ("Что значит красное небо вечером?", "К ветру, так моряки говорят"),
]  # fmt: skip


def build(folder: Path) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["question", "answer"])
    writer.writerows(_PAIRS)
    home = folder / "Den4ikAI/mailruQA-big"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dataset.csv").write_text(out.getvalue(), "utf-8")
