"""`google/smol`, documents: JSON lines with a list of sentences on each side."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("all",)
BROKEN = ("smoldoc/en_unr-Deva.jsonl", 1, "empty-positive")

_DOCUMENTS = {
    "kg": [(["The market opens early.", "Women sell fish and salt."], ["Zandu ke kangukaka na suka.", "Bankento ke tekaka mbisi na mungwa."])],
    "unr-Deva": [
        (["The river is wide.", "A boat takes us across."], ["गड़ा उसाङ गेया।", "डोंगा अबुके परोम तन।"]),
        (["Nothing was translated."], []),
    ],
    "hoc-Wara": [(["It rains.", "The roof leaks."], ["𑣎𑣁𑣜 𑣕𑣁𑣓𑣁", "𑣓𑣁𑣜 𑣎𑣜𑣂𑣓𑣁"])],
}  # fmt: skip


def build(folder: Path) -> None:
    for code, documents in _DOCUMENTS.items():
        rows = [{"id": n, "sl": "en", "tl": code, "srcs": a, "trgs": b} for n, (a, b) in enumerate(documents)]
        jsonl(folder / "google/smol/smoldoc" / f"en_{code}.jsonl", rows)
