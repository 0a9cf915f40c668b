"""`sentence-transformers/paq`: Parquet in many shards; a passage has its page's title on the first line."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00088.parquet", 3, "empty-query")

_ROWS = [
    ("who built the windmill at kråkerøy", "Kråkerøy Mill\nKråkerøy Mill was built by Anders Lie in 1790 and ground rye until 1911."),
    ("when did kråkerøy mill stop grinding", "Kråkerøy Mill\nKråkerøy Mill was built by Anders Lie in 1790 and ground rye until 1911."),
    ("what is the river that runs through vadu", "Vadu Izei\nVadu Izei lies where the Mara meets the Iza, in a valley known for its wooden gates."),
    ("", "Vadu Izei\nVadu Izei lies where the Mara meets the Iza, in a valley known for its wooden gates."),
    ("what position did tom barlow play", "Tom Barlow\nThomas Barlow was an English goalkeeper who played 31 times for Rossendale United."),
    ("which metal is refined by the parkes process", "Parkes process\nThe Parkes process takes silver out of lead by means of zinc."),
    ("what moth lays its eggs on heather", "Emperor moth\nThe emperor moth lays its eggs on heather and bramble; the males fly by day."),
    ("in what year was the canal at telemark opened", "Telemark Canal\nThe canal was opened in 1892 after five years of blasting."),
]  # fmt: skip
_TEXT = pa.schema([("query", pa.string()), ("answer", pa.string())])


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/paq/pair"
    home.mkdir(parents=True, exist_ok=True)
    for shard in (0, 1, 20):
        rows = [{"query": query and f"{query}{'?' * (shard > 0)}", "answer": answer} for query, answer in _ROWS]
        pq.write_table(pa.Table.from_pylist(rows, _TEXT), home / f"train-{shard:05}-of-00088.parquet")
