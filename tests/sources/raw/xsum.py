"""`EdinburghNLP/xsum`, conversion branch: Parquet; some articles were empty pages when they were gathered."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("en",)
BROKEN = ("train/0000.parquet", 3, "empty-positive")

_STORIES = [
    ("The swing bridge at Tolmouth jammed half open on Tuesday.\nEngineers blamed a worn bearing.\nTraffic was sent over the old ford until Friday.", "A bridge that stuck open has cut a harbour town in two for days."),
    ("Mrs Adebayo taught violin in the same room from 1961.\nHer last pupil played at the party.", "A violin teacher has retired after more than sixty years."),
    ("Otters were last seen on the Wendle in 1987.\nA camera at the weir filmed a female with two cubs.", "Otters are breeding again in a river that had lost them."),
    ("", "A council has turned down plans for a quarry."),
    ("The ferry company will drop its winter timetable.\nIslanders say a boat every other day is too few.", "Islanders have protested against fewer ferries in winter."),
    ("Rowan Pike scored in the first minute and in the last.\nThe visitors had ten men from the half hour on.", "Two goals by Rowan Pike took his side into the final."),
    ("The mill’s wheel turned for the first time since 1949.\nVolunteers had cut new paddles from elm.", "A watermill restored by volunteers is grinding flour again."),
    ("Prices of hazelnuts rose by a fifth after frost in spring.\nBakers expect dearer cakes by Christmas.", "Late frost has made hazelnuts dearer for bakers."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"document": document, "summary": summary, "id": str(30_000_000 + 7 * number)}
        for number, (document, summary) in enumerate(_STORIES)
    ]
    home = folder / "EdinburghNLP/xsum/default"
    write_parquet(home / "train/0000.parquet", rows[:5])
    write_parquet(home / "train/0001.parquet", rows[5:])
    for split in ("validation", "test"):
        write_parquet(home / split / "0000.parquet", [rows[0] | {"summary": "held out"}])
