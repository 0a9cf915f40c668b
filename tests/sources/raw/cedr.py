"""`sagteam/cedr_v1`, converted: sentences with a list of the numbers of their emotions, often an empty one."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("ru",)
BROKEN = ("main/train/0000.parquet", 6, "unknown-label")

_SENTENCES = [
    ("Наконец-то лето, и мы едем к морю!", [0]), ("Он ушёл и даже не попрощался.", [1]), ("Совещание перенесли на вторник.", []),
    ("Ничего себе, какой огромный кит!", [2]), ("Как же я рад и удивлён вас видеть!", [0, 2]), ("Я боюсь идти через лес ночью.", [3]), ("Число не из списка.", [9]),
    ("Как вы посмели трогать мои вещи!", [4]), ("Сегодня мне подарили щенка, ура!", [0]), ("Без него дом кажется пустым.", [1]),
    ("Никогда не думала, что выиграю!", [2]), ("За дверью кто-то стоял, и у меня похолодели руки.", [3]), ("Хватит врать мне в лицо!", [4]),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"text": text, "labels": labels, "source": "twitter"} for text, labels in _SENTENCES]
    schema = pa.schema([("text", pa.string()), ("labels", pa.list_(pa.int64())), ("source", pa.string())])
    home = folder / "sagteam/cedr_v1/main"
    write_parquet(home / "train/0000.parquet", rows, schema)
    write_parquet(home / "test/0000.parquet", rows[:2], schema)
