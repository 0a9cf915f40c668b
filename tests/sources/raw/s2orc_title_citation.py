"""`sentence-transformers/s2orc`, citations by title: Parquet shards; a paper may cite one of its own name."""

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("title-citation-pair/train-00000-of-00020.parquet", 3, "query-equals-positive")

_RECORDS = [
    ("Estimating the age of lichens from photographs", "Dating moraines by lichen size: a review"),
    ("Queues with impatient customers", "Abandonment in call centres: evidence from three years of logs"),
    ("A grammar of Nordic place names", "Automatic analysis of Scandinavian toponyms"),
    ("Commentary", "Commentary"),
    ("Heat loss of stone cottages", "Retrofitting listed buildings: what insulation can do"),
    ("Sparse factorisations in low memory", "Factorising a billion unknowns on one machine"),
    ("Why bees fail in long tunnels", "Optic flow and the odometer of bees revisited"),
    ("Prices of salt in the Hanse, 1370–1500", "A long-run index of staple prices in northern Europe"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/s2orc/title-citation-pair"
    rows = [{"title": cited, "citation": citing} for cited, citing in _RECORDS]
    parquet(home / "train-00000-of-00020.parquet", rows[:6])
    parquet(home / "train-00010-of-00020.parquet", rows[6:])
