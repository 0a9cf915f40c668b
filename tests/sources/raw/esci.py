"""`tasksource/esci`: Parquet, graded products of three shops; a query's records in no order, words in several shops."""

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("all",)
BROKEN = ("data/train-00000-of-00002.parquet", 5, "unknown-label")

_RECORDS = [
    (11, "us", "walnut cutting board", "Substitute", "Bamboo Cutting Board, Large"),
    (11, "us", "walnut cutting board", "Irrelevant", "Walnut Hair Dye, Dark Brown"),
    (11, "us", "walnut cutting board", "Exact", "Solid Walnut Cutting Board 18 x 12 in"),
    (12, "us", "#10 envelopes without window", "Complement", "Postage Stamp Dispenser, Roll of 100"),
    (12, "us", "#10 envelopes without window", "Exact", "500 Plain #10 Envelopes, Gummed, White"),
    (12, "us", "#10 envelopes without window", "Unrated", "#10 Envelopes with Window"),
    (13, "es", "taza sin asa", "Exact", "Taza de cerámica sin asa, 250 ml, azul"),
    (13, "es", "taza sin asa", "Irrelevant", "Asa de repuesto para sartén"),
    (14, "jp", "二段ベッド 木製", "Exact", "木製二段ベッド 天然木パイン材 分割可能"),
    (14, "jp", "二段ベッド 木製", "Complement", "二段ベッド用マットレス シングル"),
    (15, "jp", "usb c ハブ", "Substitute", "USB 3.0 ハブ 4ポート"),
    (16, "es", "usb hub", "Exact", "Concentrador USB de 4 puertos, negro"),
    (16, "es", "usb hub", "Irrelevant", "Lámpara de lectura con pinza"),
    (17, "us", "usb hub", "Irrelevant", "Car Wheel Hub Assembly"),
    (17, "us", "usb hub", "Exact", "7-Port Powered USB Hub"),
    (12, "us", "#10 envelopes without window", "Exact", "Security #10 Envelopes, Box of 100"),
    (12, "us", "#10 envelopes without window", "Irrelevant", "Window Cleaner, 750 ml"),
    (18, "us", "left handed scissors", "Irrelevant", "Baseball Glove for Left Hand"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = []
    for number, (query_id, shop, query, label, title) in enumerate(_RECORDS):
        rows.append(
            {"example_id": number, "query": query, "query_id": query_id, "product_id": f"B{number:09d}",
             "product_locale": shop, "esci_label": label, "small_version": number % 2, "large_version": 1,
             "product_title": title, "product_description": None, "product_bullet_point": f"- {title}",
             "product_brand": None, "product_color": None, "product_text": title}
        )  # fmt: skip
    home = folder / "tasksource/esci/data"
    for part, some in enumerate((rows[:15], rows[15:])):
        parquet(home / f"train-{part:05d}-of-00002.parquet", some, row_group_size=4)
    parquet(home / "test-00000-of-00001.parquet", rows[:1])
