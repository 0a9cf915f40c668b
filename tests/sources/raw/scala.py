"""`alexandrainst/scala`: Parquet by language; every other sentence lacks a word or has two of them exchanged."""

from pathlib import Path

import pyarrow as pa

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("sv", "nn")
BROKEN = ("sv/full_train-00000-of-00001.parquet", 5, "empty-query")

_SENTENCES = {
    "sv": [
        ("Färjan går varje timme från norra kajen.", None),
        ("Hon köpte bröd och två på torget.", "delete"),
        ("Skolan stängdes på grund av snön.", None),
        ("Min bror gamla har cykeln kvar.", "flip_neighbours"),
        ("Regeringen lägger fram förslaget i höst.", None),
        ("", "delete"),  # What is left of a sentence of one word.
        ("Vi inte hann äta frukost.", "flip_neighbours"),
        ("Domen kan överklagas.", None),
    ],
    "nn": [
        ("Ferja går kvar halvtime om sommaren.", None),
        ("Han skreiv brevet dagen etter.", None),
        ("Dei bygde eit hus nytt ved elva.", "flip_neighbours"),
        ("Kommunen har ikkje til ny skule.", "delete"),
        ("Eg veit kvar ho bur.", None),
        ("Det snødde så heile natta vegen vart stengd.", "flip_neighbours"),
        ("Boka kom ut i 1934.", None),
        ("Ho møtte på kaia.", "delete"),
    ],
}


def build(folder: Path) -> None:
    schema = pa.schema([(name, pa.string()) for name in ("text", "corruption_type", "label")])
    for language, sentences in _SENTENCES.items():
        rows: list[dict[str, object]] = [
            {"text": text, "corruption_type": kind, "label": "correct" if kind is None else "incorrect"}
            for text, kind in sentences
        ]
        splits = {"full_train": rows[:6], "train": rows[:2], "val": rows[6:], "test": [rows[0] | {"text": "held out"}]}
        for split, some in splits.items():
            write_parquet(folder / f"alexandrainst/scala/{language}/{split}-00000-of-00001.parquet", some, schema)
