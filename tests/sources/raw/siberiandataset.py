"""`SiberiaSoft/SiberianDatasetXL`: gzipped JSON lines of requests and replies; the keys are a guess, see the manifest."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("ru",)
BROKEN = ("siberian_dataset_enlarged.jsonl.gz", 3, "empty-positive")

_RECORDS = [
    ("dialog_personal_context", "Ты девушка, консультант различных парка. Ты очень любишь природу. Продолжи диалог:\nСобеседник: Привет! Как прошёл день?\nТы:", "Хорошо, была в парке с туристами."),
    ("qa", "Сколько этажей у маяка на мысе?", "У него семь этажей."),
    ("instruction", "Составь список покупок для борща.", "1. Свёкла\n2. Капуста\n3. Морковь\n4. Говядина"),
    ("qa", "Кто написал письмо?", ""),
    ("chitchat", "Собеседник: Ты спишь?\nТы:", "Уже нет :)"),
    ("qa", "Почему море солёное?", "Реки приносят в него соли, а вода испаряется."),
    ("instruction", "Переведи на английский: добрый вечер", "good evening"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"name": kind, "input": request, "output": reply} for kind, request, reply in _RECORDS]
    jsonl(folder / "SiberiaSoft/SiberianDatasetXL/siberian_dataset_enlarged.jsonl.gz", rows)
