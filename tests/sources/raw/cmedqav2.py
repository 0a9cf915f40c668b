"""`sentence-transformers/cmedqa-v2`: triplets as Parquet; a patient's question may come back with other negatives."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import triplets

SUBSETS = ("zh",)
BROKEN = ("triplet/train-00000-of-00001.parquet", 4, "query-equals-positive")

_RECORDS = [
    ("宝宝七个月，晚上总是哭闹，是缺钙吗？", "不一定。夜里哭闹也可能是出牙或积食，可以先查一下微量元素。", "高血压患者应当低盐饮食，按时服药。"),
    ("打了狂犬疫苗以后可以喝酒吗？（女，26岁）", "接种期间最好不要饮酒，以免影响抗体的产生。", "感冒期间多喝温水，注意休息。"),
    ("右手小指发麻三天了，怎么回事？", "考虑尺神经受压，常见于颈椎病或肘部长期受压，建议做肌电图。", "小指骨折需要固定四到六周。"),
    ("吃了头孢几天能喝酒", "停药七天以后比较安全。", "头孢类药物分为四代。"),
    ("你好", "你好", "请说明您的症状。"),
    ("眼皮一直跳要不要紧？", "多半是用眼疲劳，热敷、早睡就会好转；若超过一周要去眼科。", "近视每半年应当验一次光。"),
    ("甲状腺结节3级需要手术吗？", "3级多为良性，半年复查一次超声即可，一般不用手术。", "甲亢病人应忌碘。"),
    ("口腔溃疡反反复复，用什么药好", "局部可以贴溃疡贴片，同时补充维生素B2；反复发作要查血。", "拔牙后两小时再进食。"),
    ("眼皮一直跳要不要紧？", "也可能是缺镁，注意饮食均衡。", "白内障可以手术治疗。"),
]  # fmt: skip


def build(folder: Path) -> None:
    triplets(folder / "sentence-transformers/cmedqa-v2", _RECORDS)
