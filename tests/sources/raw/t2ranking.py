"""`sentence-transformers/t2ranking`: triplets as Parquet; web passages, some of them with leftovers of their page."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import triplets

SUBSETS = ("zh",)
BROKEN = ("triplet/train-00000-of-00001.parquet", 5, "empty-positive")

_RECORDS = [
    ("手机进水怎么办", "先关机取出电池，用干布吸去水分，放在通风处晾一天再开机。", "防水手机的价格一般在三千元以上。"),
    ("桂花什么时候开", "桂花多在九月下旬到十月开放，四季桂则全年零星开花。", "桂花糕用糯米粉和糖桂花蒸成。"),
    ("公积金可以异地贷款吗", "可以。在缴存地开具证明后，向购房地的公积金中心申请。", "公积金每月由单位和个人各缴一半。"),
    ("为什么天空是蓝的", "阳光中的蓝光波长短，被空气分子散射得最多，所以天空看起来是蓝色。", "蓝色的颜料多由矿石磨成。"),
    ("醋泡姜的做法", "嫩姜切片，撒盐出水后沥干，倒入米醋没过，密封一周即可。", "上一篇：怎样挑选生姜 下一篇：醋的种类"),
    ("一斤等于多少克", None, "一公里等于两里。"),
    ("高铁票提前多久开售", "网上一般提前十五天开售。", "高铁的最高时速为三百五十公里。"),
    ("怎样给金鱼换水", "每次换三分之一，新水要先晒一天，水温与缸里相近。", "金鱼起源于中国，由鲫鱼培育而来。"),
    ("普洱茶能放多少年", "存放得当的生普可以放几十年，越陈越香。", "普洱市位于云南南部。"),
]  # fmt: skip


def build(folder: Path) -> None:
    triplets(folder / "sentence-transformers/t2ranking", _RECORDS)
