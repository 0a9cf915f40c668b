"""`sentence-transformers/dureader`: triplets as Parquet; long web passages, questions without a question mark."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet, triplets

SUBSETS = ("zh",)
BROKEN = ("triplet/train-00000-of-00001.parquet", 7, "empty-query")

_RECORDS = [
    ("学车科目二多久可以考", "科目一通过后满十天可以预约科目二，具体看考场名额。", "科目二包括倒车入库、侧方停车等五项。"),
    ("冬天多肉几天浇一次水", "室温十度以上，大约半个月浇一次，土干透再浇；低于五度要断水。", "多肉植物原产于非洲南部。"),
    ("笔记本风扇声音大怎么解决", "1.清理灰尘 2.更换硅脂 3.在电源选项里降低处理器的最大状态。", "笔记本电脑一般重两公斤左右。"),
    ("二手房过户需要什么手续", "双方带身份证、房产证和合同，到不动产登记中心办理，缴税后领新证。", "新房交付时要看两书一表。"),
    ("酸菜鱼用什么鱼好", "黑鱼肉紧刺少，最常用；草鱼便宜，但刺多。", "酸菜用芥菜腌制而成。"),
    ("牙齿矫正的最佳年龄", "一般在十二到十四岁，恒牙刚换齐的时候。", "牙膏里的氟可以防龋。"),
    ("qq邮箱怎么撤回邮件", "打开已发送，点开邮件，选择撤回；对方是外部邮箱则不能撤回。", "附件最大可以发五十兆。"),
    ("", "此页已被删除。", "返回首页"),
    ("西安到敦煌多少公里", "走高速大约一千七百公里，开车要二十个小时左右。", "敦煌莫高窟每天限客六千人。"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/dureader"
    triplets(home, _RECORDS)
    more = {"anchor": "x", "positive": "y"} | {f"negative_{n}": str(n) for n in range(1, 16)}
    parquet(home / "triplet-15/train-00000-of-00006.parquet", [more])
