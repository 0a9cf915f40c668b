"""`sentence-transformers/stackexchange-duplicates`, `title-title-pair`: Parquet with the titles of two questions."""

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 5, "query-equals-positive")

TITLES = [
    ("Why does bread go stale?", "What makes bread hard after a day?"),
    ("Is it safe to thaw meat on the counter?", "Defrosting meat at room temperature"),
    ("How to prune an old apple tree", "Cutting back a neglected apple tree"),
    ("Boot hangs at a purple screen", "Installer stops at purple screen after the splash"),
    ("Proof that there are infinitely many primes", "Why do the primes never end?"),
    ("What is a gerund?", "What is a gerund?"),
    ("Can I bring a bicycle on a night train?", "Taking bikes on sleeper trains"),
    ("Does the sun orbit anything?", "What does our sun move around?"),
    ("How long do LaTeX footnotes carry over pages", "Footnote split over two pages"),
    ("Why is the pedal squeaking?", "Squeak with every turn of the crank"),
]


def build(folder: Path) -> None:
    rows = [{"title1": first, "title2": second} for first, second in TITLES]
    home = folder / "sentence-transformers/stackexchange-duplicates"
    parquet(home / "title-title-pair/train-00000-of-00001.parquet", rows)
