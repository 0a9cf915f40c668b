"""`KaLM-Embedding/KaLM-embedding-finetuning-data`, other sets; the names of the folders are a guess."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.kalm import kalm

SUBSETS = ("LCSTS", "WikiAnswers", "nllb")
BROKEN = ("LCSTS/train-00000-of-00001.parquet", 0, "empty-positive")

_RECORDS = {
    "LCSTS": [
        ("空白的一条", [" "], ["别的新闻"]),
        ("百年灯塔将改建为博物馆", ["昨日，市文物局公布了东岬灯塔的改建方案，一层展出航海仪器。"], ["今年苹果丰收。"]),
    ],
    "WikiAnswers": [("How high is a lighthouse?", ["What is the height of a lighthouse?"], ["How high is a mountain?"])],
    "nllb": [("The ferry leaves at ten.", ["Feribot saat onda kalkıyor."], ["Hava bugün soğuk."])],
}  # fmt: skip


def build(folder: Path) -> None:
    for name, records in _RECORDS.items():
        kalm(folder, name, "Given a text, retrieve the text that belongs to it.", records)
