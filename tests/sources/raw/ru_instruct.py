"""`d0rj/ru-instruct`: conversations with a system turn in some, in Parquet, and the set that each comes from."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("ru",)
BROKEN = ("train-00001-of-00002.parquet", 1, "no-reply")

_TALKS = [
    ([("system", "Вы — помощник."), ("user", "Объясните, почему листья осенью желтеют."), ("assistant", "Зелёный хлорофилл распадается, и видны жёлтые пигменты.")], "OpenOrca-ru"),
    ([("user", "Придумай имя для лодки."), ("assistant", "«Чайка»."), ("user", "Ещё одно?"), ("assistant", "«Северный ветер».")], "dolphin-ru"),
    ([("user", "Сколько будет 17 + 25?"), ("assistant", "42")], "gpt-roleplay-realm"),
    ([("user", "Напиши функцию на Python, которая складывает два числа."), ("assistant", "def add(a, b):\n    return a + b")], "OpenHermes-2.5-ru"),
    ([("user", "Ответа нет.")], "dolphin-ru"),
    ([("user", "Назови три реки Сибири."), ("assistant", "Обь, Енисей, Лена.")], "OpenOrca-ru"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {"conversations": [{"role": role, "content": text} for role, text in talk], "source": source}
        for talk, source in _TALKS
    ]
    home = folder / "d0rj/ru-instruct/data"
    parquet(home / "train-00000-of-00002.parquet", rows[:3])
    parquet(home / "train-00001-of-00002.parquet", rows[3:])
