"""Multi-CPR, e-commerce: queries to a shop and titles of its products."""

from pathlib import Path

from tests.sources.rawkit import multi_cpr

SUBSETS = ("zh",)
BROKEN = ("qrels.train.tsv", 4, "missing-document")

_PAIRS = [
    ("竹编菜篮", "手工竹编菜篮子家用厨房沥水收纳筐大号"),
    ("儿童雨鞋男", "儿童雨鞋男童防滑卡通水鞋小学生四季可穿胶鞋"),
    ('27寸显示器"2k"', '27英寸显示器2K高清"无边框"办公电脑屏幕升降旋转'),
    ("无糖芝麻糊", "黑芝麻糊无糖精即食代餐早餐冲饮500g罐装"),
    ("机械键盘 静音", "静音红轴机械键盘办公女生打字有线104键"),
    ("钓鱼凳", "折叠钓鱼凳便携小马扎户外靠背写生椅"),
    ("羊毛地毯客厅", "新西兰羊毛地毯客厅茶几毯卧室加厚可定制"),
    ("电动螺丝刀", "锂电充电式电动螺丝刀家用小型多功能起子机套装"),
    ("茶叶罐陶瓷", "陶瓷茶叶罐密封罐大号半斤装普洱存茶罐"),
]
_OTHERS = ["不锈钢保温杯大容量车载水杯", "纯棉四件套床单被套全棉1.8米", "蓝牙音箱小型便携户外防水"]


def build(folder: Path) -> None:
    multi_cpr.build(folder / "multi_cpr_ecom", _PAIRS, _OTHERS, shards=1, missing=4)
