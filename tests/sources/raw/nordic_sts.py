"""`kardosdrur/synthetic-nordic-sts`: two records a triple, the first scored 0.9, the second 0.5."""

from pathlib import Path

from tests.sources.rawkit.nordic import nordic

SUBSETS = ("danish", "norwegian", "swedish")
BROKEN = ("danish-00000-of-00001.parquet", 5, "unknown-label")

_TRIPLES = {
    "danish": [
        ("Fyret lyser hele natten.", "Lyset fra fyret er tændt, til det bliver morgen.", "Fyret blev bygget i 1844."),
        ("Hun cykler til arbejde hver dag.", "Hver dag tager hun cyklen til arbejdet.", "Hun har købt en ny cykel."),
        ("Æblerne er modne.", "Æblerne kan plukkes nu.", "Æbletræet er gammelt."),
    ],
    "norwegian": [
        ("Båten ligger ved brygga.", "Ved brygga ligger båten fortøyd.", "Brygga skal males til våren."),
        ("Det snør i fjellet.", "I fjellet faller det snø.", "Fjellet er 1200 meter høyt."),
    ],
    "swedish": [
        ("Tåget är tio minuter sent.", "Tåget har tio minuters försening.", "Tåget har tio vagnar."),
        ("Barnen sover.", "Barnen har somnat.", "Barnen leker i trädgården."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    records = {
        split: [row for s1, s2, s3 in triples for row in ((s1, s2, 0.9), (s1, s3, 0.5))]
        for split, triples in _TRIPLES.items()
    }
    records["danish"][5] = (*records["danish"][5][:2], 0.7)
    nordic(folder, "sts", ("s1", "s2", "score"), records)
