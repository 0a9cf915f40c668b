"""`allenai/gooaq` as converted to Parquet: some questions have nothing but a short answer."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("default/train/0000.parquet", 4, "empty-query")

_ROWS = [
    ("can you freeze cooked lentils?", None, "Yes. Cooled and drained, cooked lentils keep for about three months in a closed box.", 0),
    ("how many feet in a furlong?", "660 feet", None, 3),
    ("what to pack for a hut-to-hut hike?", None, "['Sleeping bag liner', 'Rain jacket', 'Cash', 'Earplugs']", 1),
    ("is rhubarb a fruit or a vegetable?", "vegetable", "Rhubarb is a vegetable, though cooks treat it as a fruit because of its sharp taste.", 0),
    ("", None, "An answer whose question went missing.", 0),
    ("who is the mayor of hintertal?", "Maria Egger", "", 2),
    ("why does my knee click when i squat?", None, "Gas bubbles in the joint fluid burst when the pressure drops; without pain it is harmless.", 0),
    ("are starlings protected in the uk?", None, "Starlings are protected by law, and it is an offence to take a nest in use.", 0),
    ("how to remove wax from cloth?", None, "Scrape it off. Put paper over the rest. Iron it until the paper has drunk the wax.", 1),
]  # fmt: skip
_SCHEMA = pa.schema([("id", pa.int32()), ("question", pa.string()), ("short_answer", pa.string()),
                     ("answer", pa.string()), ("answer_type", pa.int64())])  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "allenai/gooaq/default"
    columns = list(zip(*_ROWS, strict=True))
    table = pa.table([range(len(_ROWS)), *map(list, columns)], schema=_SCHEMA)
    for split, rows in (("train", table), ("test", table.slice(0, 1))):
        (home / split).mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, home / split / "0000.parquet")
