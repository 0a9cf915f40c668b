"""PQuAD: SQuAD's nested JSON over the Persian Wikipedia, with a version."""

from pathlib import Path

from tests.sources.rawkit.squad_json import squad_json

SUBSETS = ("fa",)
BROKEN = ("Train.json", 1, "empty-query")

_ARTICLES = [
    ("پل سنگی", [
        ("پل سنگی روستا پنج دهانه دارد و در سیل سال ۱۳۳۲ یکی از آن\u200cها فروریخت. سال بعد آن را دوباره ساختند.",
         [("پل سنگی چند دهانه دارد؟", "پنج"), ("پل در کدام سیل آسیب دید؟", "سیل سال ۱۳۳۲"), ("سازنده پل که بود؟", "")]),
    ]),
    ("زنبور", [
        ("کندوی زنبور را رو به جنوب می\u200cگذارند تا آفتاب صبح به آن بتابد.",
         [("کندو را رو به کدام سو می\u200cگذارند؟", "جنوب"), ("", "آفتاب صبح")]),
        ("هر کندو ده قاب دارد و تا بیست کیلو عسل می\u200cدهد.",
         [("هر کندو چند قاب دارد؟", "ده"), ("یک کندو چقدر عسل می\u200cدهد؟", "بیست کیلو")]),
    ]),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "pquad"
    home.mkdir(parents=True, exist_ok=True)
    (home / "Train.json").write_text(squad_json(_ARTICLES, version="c1"), "utf-8")
