"""PersianQA: SQuAD's nested JSON over the Persian Wikipedia; three questions in ten have no answer."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.squad_json import squad_json

SUBSETS = ("fa",)
BROKEN = ("pqa_train.json", 1, "empty-query")

_ARTICLES = [
    ("فانوس دریایی", [
        ("فانوس دریایی جزیره در سال ۱۲۶۰ ساخته شد و بلندی آن سی متر است. تا سال ۱۳۱۰ با روغن کار می\u200cکرد.",
         [("فانوس دریایی جزیره کی ساخته شد؟", "سال ۱۲۶۰"), ("بلندی فانوس چند متر است؟", "سی متر"), ("نام معمار فانوس چه بود؟", "")]),
    ]),
    ("نمک", [
        ("نمک دریاچه را در پاییز جمع می\u200cکنند و با شتر به شهر می\u200cبرند. هر شتر صد و شصت کیلو بار دارد.",
         [("نمک را در چه فصلی جمع می\u200cکنند؟", "پاییز"), ("", "شتر"), ("هر شتر چند کیلو بار می\u200cبرد؟", "صد و شصت کیلو")]),
        ("بازار نمک روزهای پنجشنبه باز است.",
         [("بازار نمک چه روزی باز است؟", "پنجشنبه")]),
    ]),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "persianqa"
    home.mkdir(parents=True, exist_ok=True)
    (home / "pqa_train.json").write_text(squad_json(_ARTICLES), "utf-8")
