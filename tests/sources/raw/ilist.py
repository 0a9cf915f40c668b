"""ILIST: a text and its label in a line, between a tab; some lines have no label."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

SUBSETS = ("all",)
BROKEN = ("train.txt", 4, "too-few-values")

_LINES = [
    "हम काल बजार गइल रहनीं।\tBHO", "तोहार घर कहाँ बा?\tBHO", "मैं कल बाज़ार गया था।\tHIN", "आपका घर कहाँ है?\tHIN", "बिना नाम की पंक्ति", "",
    "हौं काल बजार गयौ हतो।\tBRA", "तिहारौ घर कहाँ है?\tBRA", "हम कल्हि बजार गेल हली।\tMAG", "तोहर घर कहाँ हई?\tMAG", "हम काल्हि बजार गयन।\tAWA", "तोहार घर कहाँ अहै?\tAWA",
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "ilist"
    home.mkdir(parents=True, exist_ok=True)
    (home / "train.txt").write_text("\n".join(_LINES) + "\n", "utf-8")
