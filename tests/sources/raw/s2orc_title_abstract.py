"""`sentence-transformers/s2orc`, titles and abstracts: Parquet shards, of which the manifest names some."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("title-abstract-pair/train-00000-of-00062.parquet", 2, "query-equals-positive")

_RECORDS = [
    ("On the drying of oak staves in moving air", "Staves lose water along the grain first. We weighed 40 of them daily for a year and give a curve for each thickness."),
    ("A lower bound for sorting with broken comparators", "If one comparison in k may lie, any algorithm needs a further factor of log k. The bound is tight."),
    ("Editorial", "Editorial"),
    ("Song learning in captive dippers", "Young dippers copied the tutor they saw, not the one they only heard."),
    ("Measuring trust in village credit unions", "Using ledgers from 1890 to 1930 we relate default to the distance between members' farms."),
    ("Phase transitions in wet granular media", "Adding 2 % of water triples the angle of repose; beyond 8 % it falls again."),
    ("Neutron activation of Roman glass", "Trace elements tell two groups apart, one from the Levant and one from Egypt."),
    ("Le problème des trois corps en coordonnées régularisées", "Nous donnons des coordonnées où les collisions binaires sont régulières."),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/s2orc/title-abstract-pair"
    rows = [{"title": title, "abstract": abstract} for title, abstract in _RECORDS]
    parquet(home / "train-00000-of-00062.parquet", rows[:5])
    parquet(home / "train-00001-of-00062.parquet", [{"title": "Not named", "abstract": "Not read."}])
    parquet(home / "train-00020-of-00062.parquet", rows[5:])
