"""`sentence-transformers/trivia-qa-triplet`: Parquet; a question, a passage with its answer and one without."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("triplet/train-00000-of-00001.parquet", 6, "empty-positive")

_ROWS = [
    ("Which composer kept a herd of goats at Lugano?", "Emil Roth Emil Roth settled above Lugano in 1921, where he kept goats and wrote his four symphonies.",
     "Lugano Lugano is the largest city of Ticino, on the lake of the same name."),
    ("What is the only bone in the human body not joined to another?", "Hyoid The hyoid is held by muscles and ligaments alone.",
     "Femur The femur is the longest bone of the body."),
    ("In which decade was the parking meter introduced?", "Parking meter The first one was set up in Oklahoma City in July 1935.",
     "Taximeter The taximeter was invented in Berlin in 1891."),
    ("What sport is played for the Corbillon Cup?", "Corbillon Cup The trophy goes to the women's team that wins the world championship in table tennis.",
     "Davis Cup The Davis Cup is contested by men's tennis teams."),
    ("Which sea has no coast?", "Sargasso Sea Bounded by currents, the Sargasso Sea has no shores.", "Aral Sea The Aral Sea has lost most of its water."),
    ("Who wrote The Riddle of the Sands?", "Erskine Childers Childers, a yachtsman, published The Riddle of the Sands in 1903.",
     "The Riddle of the Sands (film) The film of 1979 was shot in the Netherlands."),
    ("What colour is Mr Spock's blood?", None, "Vulcan salute The salute is made with the palm forward."),
    ("Which cheese is made backwards?", "Edam The cheese whose name reads as made in reverse comes from Edam.", "Gouda Gouda is sold by weight at a market."),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/trivia-qa-triplet"
    for config, rows in (("triplet", _ROWS), ("triplet-all", _ROWS * 2)):
        (home / config).mkdir(parents=True, exist_ok=True)
        anchor, positive, negative = zip(*rows, strict=True)
        table = pa.table({"anchor": anchor, "positive": positive, "negative": negative})
        pq.write_table(table, home / config / "train-00000-of-00001.parquet")
