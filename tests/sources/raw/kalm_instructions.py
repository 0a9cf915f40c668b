"""`KaLM-Embedding/KaLM-embedding-finetuning-data`, instructions: requests for programs, and in many languages."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.kalm import kalm

SUBSETS = ("CodeFeedback", "aya_dataset", "AdvertiseGen")
BROKEN = ("CodeFeedback/train-00000-of-00001.parquet", 1, "empty-query")

_RECORDS = {
    "CodeFeedback": [
        ("Write a function that reverses a list.\nDo not use slicing.", ["def backwards(xs):\n    return list(reversed(xs))"], ["def total(xs):\n    return sum(xs)"]),
        ("", ["print('nothing was asked')"], ["pass"]),
        ("Count the words of a text file in C++.", ["```cpp\nstd::ifstream in(path);\nint n = 0;\nfor (std::string w; in >> w;) ++n;\n```"], ["Use a vector."]),
    ],
    "aya_dataset": [
        ("Nenda sokoni, je, utanunua nini?", ["Nitanunua nyanya, vitunguu na samaki."], ["Soko liko mbali."]),
        ("Hvad spiser man til påske?", ["Man spiser ofte lam og æg."], ["Påsken falder i april."]),
    ],
    "AdvertiseGen": [("类型#裙*颜色#蓝色*图案#条纹", ["蓝白相间的条纹像海浪，走起路来裙摆轻轻晃动。"], ["这件外套十分保暖。", "鞋底防滑耐磨。"])],
}  # fmt: skip


def build(folder: Path) -> None:
    for name, records in _RECORDS.items():
        kalm(folder, name, "Given an instruction, retrieve the response.", records)
