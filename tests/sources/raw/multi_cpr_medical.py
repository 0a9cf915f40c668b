"""Multi-CPR, medical: questions and passages of answers, in four files."""

from pathlib import Path

from tests.sources.rawkit import multi_cpr

SUBSETS = ("zh",)
BROKEN = ("qrels.train.tsv", 2, "missing-document")

_PAIRS = [
    ("脚踝扭伤后能热敷吗", "扭伤后的头两天应当冷敷，四十八小时之后才可以热敷。"),
    ("宝宝六个月能吃蛋黄吗", "六个月以后可以从四分之一个蛋黄开始添加，注意观察是否过敏。"),
    ("吃完柿子可以喝牛奶吗", "少量没有关系，胃不好的人最好隔开一两个小时。"),
    ("手指发麻是什么原因", "常见原因有颈椎病、腕管综合征和长时间压迫，持续发麻应当就诊。"),
    ("感冒了能打疫苗吗", "发热时应推迟接种，轻微鼻塞可以请医生判断。"),
    ("近视手术后多久能游泳", "一般术后一个月内避免游泳，以免感染。"),
    ("牙龈出血缺什么", "多数是牙龈发炎，缺乏维生素C也可能引起。"),
    ("睡觉磨牙怎么办", "可以到口腔科定做咬合垫，并注意减轻压力。"),
]
_OTHERS = ["高血压患者饮食宜清淡，少盐。", "骨折后要定期复查，不可过早负重。", "皮肤干燥可以多涂润肤霜。"]


def build(folder: Path) -> None:
    multi_cpr.build(folder / "multi_cpr_medical", _PAIRS, _OTHERS, shards=4, missing=2)
