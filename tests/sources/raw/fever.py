"""`mteb/fever`: JSON lines; page ids are titles with underscores, a claim may be judged by several pages."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("qrels/train.jsonl", 4, "missing-document")

_PAGES = {
    "Harbour_seal": ("Harbour seal", "The harbour seal lives along the coasts of the northern Atlantic and Pacific . It weighs up to 130 kg ."),
    "Oboe": ("Oboe", "The oboe is a woodwind instrument with a double reed ."),
    "Reed_-LRB-mouthpiece-RRB-": ("Reed (mouthpiece)", "A reed is a thin strip that vibrates ; oboes and bassoons have double ones ."),
    "Teide": ("Teide", "Teide is a volcano on Tenerife and the highest point of Spain ."),
    "Grete_Lind": ("Grete Lind", "Grete Lind -LRB- born 4 May 1961 -RRB- is a Norwegian orienteer , called `` the Compass '' at home ."),
    "1974_Fjord_Rally": ("1974 Fjord Rally", "The 1974 Fjord Rally was cancelled for want of petrol ."),
    "Marzipan": ("Marzipan", "Marzipan is made of sugar and ground almonds ."),
    "Unjudged": ("Unjudged", "Nobody has linked a claim to this page ."),
}  # fmt: skip
_CLAIMS = {
    "91001": ("Harbour seals are found only in fresh water.", ["Harbour_seal"]),
    "91002": ("The oboe is played with a double reed.", ["Oboe", "Reed_-LRB-mouthpiece-RRB-"]),
    "91003": ("Teide is lower than Mulhacén.", ["Teide", "Mulhacén"]),
    "91004": ("Grete Lind is a Norwegian.", ["Grete_Lind"]),
    "91005": ("A petrol shortage stopped a rally in 1974.", ["1974_Fjord_Rally"]),
    "91006": ("Marzipan contains walnuts.", ["Marzipan"]),
    "91007": ("There was once a town called Sørvik.", []),
}


def build(folder: Path) -> None:
    judged = [(claim, page, 1) for claim, (_, pages) in _CLAIMS.items() for page in pages]
    beir.collection(folder / "mteb/fever", {key: text for key, (text, _) in _CLAIMS.items()}, _PAGES, judged)
