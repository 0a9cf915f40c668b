"""`sentence-transformers/sentence-compression`: Parquet; some sentences had nothing to leave out."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 3, "query-equals-positive")

_SENTENCES = [
    ("The mayor of Lunden, who took office only in May, resigned on Thursday after a row over parking fees.", "The mayor of Lunden resigned."),
    ("Shares in the shipyard fell by nearly a tenth in early trading, a day after it lost an order for two ferries.", "Shares in the shipyard fell."),
    ("A rare orchid, thought to have died out on the island, has been found by a schoolboy near the old airfield.", "A rare orchid has been found."),
    ("Police arrested two men.", "Police arrested two men."),
    ("Heavy snow closed all four mountain passes on Sunday, leaving hundreds of skiers stranded in the valley.", "Snow closed four mountain passes."),
    ("The orchestra, founded in 1882, will tour South America for the first time next spring.", "The orchestra will tour South America."),
    ("Scientists at the northern station say that they have drilled through the ice shelf to the sea below it.", "Scientists have drilled through the ice shelf."),
    ("Striking bus drivers will go back to work on Monday, their union said late last night.", "Striking bus drivers will go back to work."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows: list[dict[str, object]] = [{"text": text, "simplified": short} for text, short in _SENTENCES]
    write_parquet(folder / "sentence-transformers/sentence-compression/pair/train-00000-of-00001.parquet", rows)
