"""`sentence-transformers/specter`: triplets of titles as Parquet, several of each paper, not always together."""

from pathlib import Path

from tests.sources.rawkit.tables import triplets

SUBSETS = ("en",)
BROKEN = ("triplet/train-00000-of-00001.parquet", 4, "empty-query")

_RECORDS = [
    ("Routing parcels by drone under wind", "Shortest paths with uncertain edges", "Nesting of terns on flat roofs"),
    ("Routing parcels by drone under wind", "Wind fields over cities: a data set", "A survey of parcel lockers"),
    ("A treebank of spoken Frisian", "Universal dependencies for small languages", "Speech codecs at low rates"),
    ("Routing parcels by drone under wind", "Shortest paths with uncertain edges", "Noise of small rotors"),
    (None, "Shortest paths with uncertain edges", "Noise of small rotors"),
    ("Detecting forged signatures from pressure", "Pen pressure as a biometric", "Paper made of straw"),
    ("A treebank of spoken Frisian", "Annotating disfluencies", "Grazing on salt marshes"),
    ("Caches that forget on purpose", "Replacement policies under skewed access", "Memory in old age"),
    ("Detecting forged signatures from pressure", "A corpus of forged signatures", "Detecting forged paintings"),
    ("Cold starts in serverless systems", "Caches that forget on purpose", "Starting diesel engines in frost"),
]  # fmt: skip


def build(folder: Path) -> None:
    triplets(folder / "sentence-transformers/specter", _RECORDS)
