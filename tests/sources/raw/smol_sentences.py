"""`google/smol`, sentences: JSON lines, a file a language; the language is in the name of the file."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("all",)
BROKEN = ("smolsent/en_ln.jsonl", 2, "empty-positive")

_PAIRS = {
    "ber": [("The goats are on the hill.", "ⵜⵉⵖⴹⵏ ⵍⵍⴰⵏⵜ ⴳ ⵓⴷⵔⴰⵔ.")],
    "ln": [("The boat leaves at noon.", "Masuwa elongwaka na midi."), ("Bring me water.", "Memela nga mai."), ("Not translated.", "")],
    "sat": [("The boat leaves at noon.", "ᱫᱟᱜ ᱜᱟᱲᱤ ᱛᱤᱠᱤᱱ ᱨᱮ ᱪᱟᱞᱟᱣᱚᱜᱼᱟ"), ("Bring me water.", "ᱫᱟᱜ ᱟᱹᱜᱩᱭ ᱢᱮ")],
    "tyv": [("The boat leaves at noon.", "Хеме дүъште чоруур."), ("Bring me water.", "Меңээ суг эккелем.")],
}  # fmt: skip


def build(folder: Path) -> None:
    for code, pairs in _PAIRS.items():
        rows = [
            {"id": n, "sl": "en", "tl": code, "is_src_orig": True, "src": source, "trg": target}
            for n, (source, target) in enumerate(pairs)
        ]
        jsonl(folder / "google/smol/smolsent" / f"en_{code}.jsonl", rows)
        back = [row | {"sl": code, "tl": "en", "src": row["trg"], "trg": row["src"]} for row in rows]
        jsonl(folder / "google/smol/smolsent" / f"{code}_en.jsonl", back)
