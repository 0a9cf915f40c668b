"""`abisee/cnn_dailymail` 3.0.0: Parquet, highlights one a line; some articles lost their text."""
# ruff: noqa: E501 - rows of data

import hashlib
from pathlib import Path

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00003.parquet", 2, "empty-positive")

_STORIES = [
    ("(CNN) -- A cargo ship ran aground off the cape before dawn. All nineteen sailors were taken off by helicopter, the coast guard said.", "Ship runs aground off the cape .\nAll nineteen sailors are safe ."),
    ("By . Staff Reporter . A couple found a Roman ring while planting leeks. The museum dates it to the third century.", "Ring turned up in a bed of leeks .\nMuseum says it is 1,700 years old .\nFinders will share its value ."),
    ("", "Video shows the storm from the tower .\nNobody was hurt ."),
    ("A court has ordered the city to reopen the footpath it fenced off in March. Walkers had sued.", "City must reopen a footpath ."),
    ("The telescope saw a comet break into at least four pieces, astronomers reported on Monday.", "Comet has broken up .\nTelescope counted four pieces ."),
    ("After forty years the night train is back. It leaves at nine and crosses three borders before breakfast.", "Night train returns after forty years .\nThree borders in one night ."),
    ("Two teenagers built a boat of milk cartons and rowed it across the lake in under an hour.", "Boat of milk cartons crosses a lake ."),
    ("A goat that had walked into the bank was led out by a clerk with a carrot.", "Goat enters bank .\nClerk lures it out with a carrot ."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"article": article, "highlights": highlights, "id": hashlib.sha1(highlights.encode()).hexdigest()}
        for article, highlights in _STORIES
    ]
    home = folder / "abisee/cnn_dailymail"
    for shard, some in enumerate((rows[:3], rows[3:6], rows[6:])):
        write_parquet(home / f"3.0.0/train-{shard:05d}-of-00003.parquet", some)
    for split in ("validation", "test"):
        write_parquet(home / f"3.0.0/{split}-00000-of-00001.parquet", [rows[0] | {"highlights": "held out"}])
    write_parquet(home / "1.0.0/train-00000-of-00003.parquet", [rows[0] | {"highlights": "other version"}])
