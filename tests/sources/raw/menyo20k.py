"""MENYO-20k: tab-separated values with a header, quotation marks as they are, Yoruba with its tone marks."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

SUBSETS = ("en-yo",)
BROKEN = ("train.tsv", 2, "empty-positive")

_PAIRS = [
    ("The market opens early.", "Ọjà máa ń tètè ṣí."), ('He said: "Wait for me."', 'Ó ní: "Dúró dè mí."'), ("Nobody translated this.", ""),
    ("Rain has fallen since Monday.", "Òjò ti ń rọ̀ láti ọjọ́ Ajé."), ("Lagos", "Lagos"), ("The lamp is on the table.", "Àtùpà wà lórí tábìlì."),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "menyo20k"
    home.mkdir(parents=True, exist_ok=True)
    lines = ["English\tYoruba", *("\t".join(pair) for pair in _PAIRS)]
    (home / "train.tsv").write_text("\n".join(lines) + "\n", "utf-8")
