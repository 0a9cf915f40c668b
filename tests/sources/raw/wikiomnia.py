"""`RussianNLP/wikiomnia`, converted: a folder a configuration, several generated questions on one summary."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("ru",)
BROKEN = ("wikiomnia_ruGPT3_filtered/train/0000.parquet", 2, "empty-query")

_SUMMARIES = {
    "Маяк Скерри": "Маяк Скерри — каменный маяк на мысе Скерри, построен в 1844 году. Высота башни 31 метр, огонь виден на 19 миль. До 1871 года в лампе жгли рапсовое масло.",
    "Соляная тропа": "Соляная тропа — перевал в Восточных Альпах, по которому до 1890-х годов возили соль на мулах. Длина тропы 42 км.",
    "Кулик-долгонос": "Кулик-долгонос — птица семейства бекасовых, гнездится на болотах тундры, зимует на берегах Средиземного моря.",
}  # fmt: skip
_QUESTIONS = {
    "wikiomnia_ruGPT3_filtered": [
        ("Маяк Скерри", "В каком году был построен маяк Скерри?", "1844"), ("Соляная тропа", "На чём возили соль через перевал?", "на мулах"), ("Соляная тропа", "", "42 км"),
        ("Кулик-долгонос", "Где зимует кулик-долгонос?", "на берегах Средиземного моря"),
    ],
    "wikiomnia_ruT5_filtered": [
        ("Маяк Скерри", "Какова высота башни маяка Скерри?", "31 метр"), ("Маяк Скерри", "Что жгли в лампе маяка до 1871 года?", "рапсовое масло"),
        ("Кулик-долгонос", "К какому семейству относится кулик-долгонос?", "бекасовых"),
    ],
    "wikiomnia_ruT5_raw": [("Маяк Скерри", "Сырой вопрос?", "не тот ответ")],
}  # fmt: skip


def build(folder: Path) -> None:
    for configuration, questions in _QUESTIONS.items():
        rows = [
            {
                "title": title, "categories": "", "summary": _SUMMARIES[title], "question": question, "answer": answer,
                "batch_id": "1",
            }
            for title, question, answer in questions
        ]  # fmt: skip
        split = "dev" if configuration.endswith("raw") else "train"
        parquet(folder / "RussianNLP/wikiomnia" / configuration / split / "0000.parquet", rows)
