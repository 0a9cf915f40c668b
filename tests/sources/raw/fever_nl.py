"""`clips/beir-nl-fever`: the tables of BEIR as JSON lines, in Dutch, ids as in the English set."""

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("nl",)
BROKEN = ("qrels/train.jsonl", 4, "missing-document")

_PAGES = {
    "Oboe": ("Oboe", "De hobo is een houten blaasinstrument met een dubbel riet."),
    "Teide": ("Teide", "De Teide is met 3715 meter de hoogste berg van Spanje."),
    "Marzipan": ("Marzipan", "Marsepein is gemaakt van suiker en gemalen amandelen."),
    "Harbour_seal": ("Harbour seal", "De gewone zeehond leeft aan de kusten van het noordelijk halfrond."),
    "Unjudged": ("Unjudged", "Naar deze pagina verwijst geen enkele bewering."),
}  # fmt: skip
_CLAIMS = {
    "91101": ("De hobo wordt bespeeld met een dubbel riet.", ["Oboe"]),
    "91102": ("De Teide is lager dan de Mulhacén.", ["Teide"]),
    "91103": ("Marsepein bevat walnoten.", ["Marzipan"]),
    "91104": ("De gewone zeehond leeft alleen in zoet water.", ["Harbour_seal", "Weg"]),
    "91105": ("Er was eens een stad die Sørvik heette.", []),
}  # fmt: skip


def build(folder: Path) -> None:
    judged = [(claim, page, 1) for claim, (_, pages) in _CLAIMS.items() for page in pages]
    beir.collection(folder / "clips/beir-nl-fever", {key: text for key, (text, _) in _CLAIMS.items()}, _PAGES, judged)
