"""`KaLM-Embedding/KaLM-embedding-finetuning-data`, questions: Chinese, English, and languages that no column tells."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.kalm import kalm

SUBSETS = ("T2Ranking", "wikipedia-nq", "mr-tydi")
BROKEN = ("T2Ranking/train-00000-of-00001.parquet", 2, "empty-positive")

_RECORDS = {
    "T2Ranking": [
        ("灯塔一夜用多少油", ["老式灯塔一夜大约烧十公斤菜籽油。", "一座灯塔每晚约用油十公斤。"], ["灯塔门票三十元。", "油价今天上涨。"]),
        ("木船漏水怎么办", ["先把船晒干，再用麻絮和桐油填缝。"], ["木船多少钱一条？", "船票可以退吗？"]),
        ("没有答案", [], ["无关"]),
        ("蜂箱朝哪边放", ["蜂箱一般朝东南，早晨能晒到太阳。"], ["蜂蜜怎么保存？"]),
    ],
    "wikipedia-nq": [
        ("when was skerry point lighthouse first lit", ["Skerry Point Light The lighthouse was first lit in 1844."], ["Skerry A skerry is a small rocky island."]),
        ("who carried salt over the tauern pass", ["Salt trail Salt was carried over the pass on mules by drivers from Rauris."], ["Tauern The Tauern are a range of the Alps.", "Salt Salt is a mineral."]),
    ],
    "mr-tydi": [
        ("Majakka rakennettiin milloin?", ["Majakka Majakka rakennettiin vuonna 1844 luodolle."], ["Luoto Luoto on pieni saari."]),
        ("เกลือถูกขนส่งอย่างไร", ["เกลือ เกลือถูกขนข้ามภูเขาด้วยล่อ"], ["ล่อ ล่อเป็นสัตว์ลูกผสม"]),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for name, records in _RECORDS.items():
        kalm(folder, name, "Given a query, retrieve documents that answer the query.", records)
