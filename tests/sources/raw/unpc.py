"""`Helsinki-NLP/un_pc`: Parquet with one struct a record, keyed by the two languages of the pair."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("ar2en", "en2ar", "zh2fr", "fr2zh", "es2ru")
BROKEN = ("ar-en/train-00000-of-00002.parquet", 3, "empty-query")

_SENTENCES = [
    {"en": "The General Assembly adopts the following resolution:", "fr": "L’Assemblée générale adopte la résolution suivante :",
     "es": "La Asamblea General aprueba la siguiente resolución:", "ru": "Генеральная Ассамблея принимает следующую резолюцию:",
     "zh": "大会通过以下决议：", "ar": "تتخذ الجمعية العامة القرار التالي:"},
    {"en": "The meeting was called to order at 10.15 a.m.", "fr": "La séance est ouverte à 10 h 15.",
     "es": "Se abre la sesión a las 10.15 horas.", "ru": "Заседание открывается в 10 ч. 15 м.",
     "zh": "上午10时15分宣布开会。", "ar": "افتتحت الجلسة الساعة 10/15."},
    {"en": "Decides to remain seized of the matter.", "fr": "Décide de rester saisi de la question.",
     "es": "Decide seguir ocupándose de la cuestión.", "ru": "постановляет продолжать заниматься этим вопросом.",
     "zh": "决定继续处理此案。", "ar": "يقرر أن يبقي المسألة قيد نظره."},
    {"en": "All States should protect their forests.", "fr": "Tous les États devraient protéger leurs forêts.",
     "es": "Todos los Estados deberían proteger sus bosques.", "ru": "Всем государствам следует охранять свои леса.",
     "zh": "所有国家都应保护其森林。", "ar": "ينبغي لجميع الدول أن تحمي غاباتها."},
    {"en": "Water is a human right.", "fr": "L’eau est un droit de l’homme.", "es": "El agua es un derecho humano.",
     "ru": "Вода — это право человека.", "zh": "水是一项人权。", "ar": "الماء حق من حقوق الإنسان."},
]  # fmt: skip


def build(folder: Path) -> None:
    for pair in ("ar-en", "fr-zh", "es-ru"):
        first, second = pair.split("-")
        rows = []
        for article in range(1, 6):
            rows += [{first: f"{article}. {s[first]}", second: f"{article}. {s[second]}"} for s in _SENTENCES]
        rows[3] = {first: " ", second: "An empty line of a badly aligned document"}
        rows[7] = {first: "A/RES/57/270", second: "A/RES/57/270"}
        home = folder / "Helsinki-NLP/un_pc" / pair
        home.mkdir(parents=True, exist_ok=True)
        for part, some in enumerate((rows[:15], rows[15:])):
            pq.write_table(pa.table({"translation": some}), home / f"train-0000{part}-of-00002.parquet")
