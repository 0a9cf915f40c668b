"""`MonoHime/ru_sentiment_dataset`: a CSV file with an index column without a name; reviews, news and comments."""
# ruff: noqa: E501 - rows of data

import csv
import io
from pathlib import Path

SUBSETS = ("ru",)
BROKEN = ("train.csv", 4, "unknown-label")

_TEXTS = [
    ("качество плохое пошив ужасный (горловина перекошена) ", 2), ("Привезли вовремя, доволен, спасибо!", 1), ("ЦБ сохранил ставку на прежнем уровне.", 0),
    ("Номер чистый, персонал приветливый,\nзавтраки отличные", 1), ("Без оценки", 3), ("отвратительный сервис, больше ни ногой", 2),
    ("Паром прибывает в порт в 16:40", 0), ("Лучший врач в городе", 1), ("сломалось на второй день", 2), ("Совет директоров собрался в четверг", 0),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "MonoHime/ru_sentiment_dataset"
    home.mkdir(parents=True, exist_ok=True)
    for name, texts in (("train.csv", _TEXTS), ("valid.csv", _TEXTS[:2])):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["", "text", "sentiment"])
        writer.writerows([181467 - n, text, label] for n, (text, label) in enumerate(texts))
        (home / name).write_text(out.getvalue(), "utf-8")
