"""`sentence-transformers/coliee`: Parquet, a statement of the bar examination, its article and twenty others."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("triplet-20/train-00000-of-00001.parquet", 7, "empty-query")

_ARTICLES = [
    "Article 901 (Lost Boats)\n(1) A person who salvages a boat adrift has to tell the harbour master without delay.\n(2) The owner has to pay what the salvage cost.",
    "Article 902 A lien on a mill extends to its wheel and its sluice.",
    "Article 903 Where several persons own a well in common, each may draw water by day; at night the consent of the others is needed.",
    "Article 904 (Gifts to Guardians)\nA gift of a ward to the guardian is void until the accounts of the guardianship are closed.",
    "Article 905 An offer by letter lapses when a reasonable time for a reply has passed.",
    "Article 906 A tenant who mends the roof may demand the cost from the lessor immediately.",
    "Article 907 Fruit that falls on a neighbour's land belongs to the neighbour, unless the land is in public use.",
]  # fmt: skip
_STATEMENTS = [
    ("X found Y's boat adrift and towed it in. X may claim the cost of the towing from Y.", 0),
    ("A creditor with a lien on a mill cannot have the wheel sold.", 1),
    ("One of three owners of a well may draw water at midnight without asking anybody.", 2),
    ("A ward who has come of age may make a gift to the former guardian at any time.", 3),
    ("An offer by letter binds the offeror for ever.", 4),
    ("A lessee who repaired the roof has to wait for the end of the lease before claiming the cost.", 5),
    ("Apples that fall over the fence belong to the neighbour.", 6),
    ("", 2),
    ("The finder of a boat need not notify anyone if the owner is known.", 0),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = []
    for statement, article in _STATEMENTS:
        others = [_ARTICLES[(article + 1 + n % 6) % 7].replace("Article 90", f"Article {n + 1}") for n in range(20)]
        negatives = {f"negative_{n}": text for n, text in enumerate(others, 1)}
        rows.append({"anchor": statement, "positive": _ARTICLES[article], **negatives})
    home = folder / "sentence-transformers/coliee/triplet-20"
    home.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), home / "train-00000-of-00001.parquet")
