"""`giannor/dala_large`: Parquet, Danish sentences right or with one of fourteen mistakes that people make."""

from pathlib import Path

import pyarrow as pa

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("da",)
BROKEN = ("train-00000-of-00001.parquet", 4, "unknown-label")

_SENTENCES = [
    ("Toget fra Odense var en halv time forsinket.", None),
    ("Huset har fået et ny tag.", "flip_en_et_suffix"),
    ("Hun læste avisen, mens kaffen løb igennem.", None),
    ("De løbene priser ærgrer handlende.", "corrupt_ende_ene"),
    ("Bestyrelsen mødes igen på torsdag.", None),
    ("Han lagde på sofaen hele dagen.", "corrupt_ligge_lægge"),
    ("Børnene sejler med deres egen båd.", None),
    ("Vi glæder os til at se jer til sommer.", None),
    ("Jeg ved ikke hvor nøglet er.", "flip_en_et_suffix"),
    ("Fabrikken lukkede i 1972.", None),
]


def build(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"text": text, "corruption_type": kind, "label": "correct" if kind is None else "incorrect"}
        for text, kind in _SENTENCES
    ]
    rows[4] = rows[4] | {"label": None}
    schema = pa.schema([(name, pa.string()) for name in ("text", "corruption_type", "label")])
    splits = {"train": rows[:8], "val": rows[8:], "test": [rows[0] | {"text": "held out"}]}
    for split, some in splits.items():
        write_parquet(folder / f"giannor/dala_large/data/{split}-00000-of-00001.parquet", some, schema)
