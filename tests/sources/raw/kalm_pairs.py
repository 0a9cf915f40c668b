"""`KaLM-Embedding/KaLM-embedding-finetuning-data`, sentence pairs; the names of the folders are a guess."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.kalm import kalm

SUBSETS = ("SimCLUE", "simcse_sup_nli")
BROKEN = ("SimCLUE/train-00000-of-00001.parquet", 1, "query-equals-positive")

_RECORDS = {
    "SimCLUE": [
        ("怎么关闭自动还款", ["自动还款怎么取消"], ["怎么提前还款", "还款日是哪天"]),
        ("灯塔在哪里", ["灯塔在哪里"], ["灯塔多高"]),
        ("两个人在海边跑步", ["有人在沙滩上跑"], ["两个人在海里游泳"]),
    ],
    "simcse_sup_nli": [
        ("A keeper climbs the stairs of a lighthouse.", ["Somebody goes up the stairs."], ["The lighthouse has no stairs."]),
        ("Two dogs run along the shore.", ["Animals are near the water."], ["The dogs are asleep."]),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for name, records in _RECORDS.items():
        kalm(folder, name, "Retrieve semantically similar text.", records)
