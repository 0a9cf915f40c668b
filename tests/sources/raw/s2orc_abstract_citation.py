"""`sentence-transformers/s2orc`, citations by abstract: Parquet shards; line ends and double spaces of scans."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("abstract-citation-pair/train-00000-of-00107.parquet", 2, "empty-positive")

_RECORDS = [
    ("We photograph lichens on 60 gravestones of known  date and fit a growth curve.", "Moraines are dated by the largest lichen on them. We review 80 studies and ask how good their curves are."),
    ("Customers who wait too long hang up. We give the loss rate in closed form.", "Three years of logs from a call centre let us test models of abandonment.\nNone fits the first ten seconds."),
    ("Salt was the currency of the herring trade.", ""),
    ("An incomplete Cholesky factorisation is described that needs one pass.", "We solve systems of a billion unknowns on a single machine, building on one-pass factorisations."),
    ("Bees trained in a striped tunnel misjudge its length.", "Optic flow explains most, but not all, of how bees measure distance."),
    ("Fifty stone cottages were heated to 19 degrees and left to cool.", "Insulation from inside cuts the loss of listed houses by a third; damp is the price."),
    ("We parse 12,000 place names into stems and endings.", "A finite-state model of toponyms is learned from parsed names, and tested on Swedish maps."),
    ("Yeast was kept at four degrees for 40 generations.", "Cold-adapted yeasts share two mutations, as sequencing of nine lines shows."),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/s2orc/abstract-citation-pair"
    rows = [{"abstract": cited, "citation": citing} for cited, citing in _RECORDS]
    parquet(home / "train-00000-of-00107.parquet", rows[:5])
    parquet(home / "train-00020-of-00107.parquet", rows[5:])
