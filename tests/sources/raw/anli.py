"""`facebook/anli`: three rounds in Parquet; a premise may come back in a later round, one is missing."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train_r2-00000-of-00001.parquet", 2, "empty-query")

_LIGHTHOUSE = (
    "Skarne Lighthouse was lit in 1871 by the engineer Maud Ellery. It was automated in 1964 and closed in 1990."
)
_BAND = "The Copper Lanterns were a folk quartet from Leeds. They made two albums, Tallow (1974) and Wick (1979)."
_RIVER = "The Ostra rises in the Vellin hills and flows 212 kilometres north before it joins the Merr at Dunhaven."
_FILM = "Half a Ladder is a 2003 comedy directed by Ines Roa, shot in eleven days in her own flat."
_CLUB = "Norrby FC was founded in 1922, was relegated in 1951 and has played in the second division since."
_BREAD = "To make the dough, mix flour, water and salt, and let it rest for an hour before adding the yeast."

_ROUNDS = {
    "r1": [
        (_LIGHTHOUSE, "No keeper was needed at Skarne in 1970.", 0), (_LIGHTHOUSE, "Maud Ellery also built bridges.", 1),
        (_LIGHTHOUSE, "Skarne was still lit in 1995.", 2), (_BAND, "Five years lay between the two albums.", 0),
        (_BAND, "Tallow sold better than Wick.", 1),
    ],
    "r2": [
        (_RIVER, "The Ostra is over two hundred kilometres long.", 0), (_RIVER, "The Ostra flows into the sea.", 2),
        (None, "The town lies on a lake.", 0), (_FILM, "The director filmed where she lived.", 0),
        (_FILM, "The film lost money.", 1), (_FILM, "It was made in under two weeks.", 0),
    ],
    "r3": [
        (_CLUB, "The club is about a century old.", 0), (_CLUB, "Norrby FC never left the first division.", 2),
        (_BREAD, "The yeast goes in last.", 0), (_BREAD, "The bread is baked for an hour.", 1),
        (_LIGHTHOUSE, "Skarne was shut while Ellery was alive.", 1), (_BAND, "The band had three members.", 2),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "facebook/anli/plain_text"
    home.mkdir(parents=True, exist_ok=True)
    for name, texts in _ROUNDS.items():
        rows = [
            {"uid": f"{name}-{number}", "premise": premise, "hypothesis": hypothesis, "label": label, "reason": "so it says"}
            for number, (premise, hypothesis, label) in enumerate(texts)
        ]  # fmt: skip
        pq.write_table(pa.Table.from_pylist(rows), home / f"train_{name}-00000-of-00001.parquet")
        for split in ("dev", "test"):
            pq.write_table(pa.Table.from_pylist(rows[:1]), home / f"{split}_{name}-00000-of-00001.parquet")
