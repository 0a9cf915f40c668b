"""`sentence-transformers/natural-questions`: Parquet, search queries in lower case and passages of Wikipedia."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 5, "empty-positive")

_ROWS = [
    ("who discovered the salt mine at hallein", "Salt mining in Hallein Brine was drawn from the Dürrnberg by Celtic miners around 600 BC; who found it first is not known."),
    ("how many keys does an accordion have", "Accordion A piano accordion of full size has 41 treble keys and 120 bass buttons."),
    ("when did the last steam train run in malta", "Malta Railway The railway closed on 31 March 1931, when buses had taken its passengers."),
    ("where is the heart of a shrimp", "Shrimp The heart lies behind the stomach, in what looks like the head."),
    ("what does the g in g-string stand for", "Violin strings The lowest of the four strings is tuned to G below middle C."),
    ("who sings the song of the ferryman", ""),
    ("what is the plot of the glass orchard", "The Glass Orchard A widow inherits an orchard under glass — and a lawsuit about its water."),
    ("when do the clocks change in samoa", "Time in Samoa Samoa gave up daylight saving time in 2021."),
    ("how deep is the roman well in cologne", "Praetorium The well goes down some 14 metres, to the ground water."),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/natural-questions/pair"
    home.mkdir(parents=True, exist_ok=True)
    query, answer = zip(*_ROWS, strict=True)
    pq.write_table(pa.table({"query": query, "answer": answer}), home / "train-00000-of-00001.parquet")
