"""webMedQA: tab-separated values without a header in a zip archive, five answers a question, one of them adopted."""
# ruff: noqa: E501 - rows of data

import zipfile
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("medQA.train.txt", 6, "unknown-label")

_QUESTIONS = [
    ("内科", "1001", "胃里反酸半个月，夜里躺下更重，该吃什么药？", "先垫高枕头睡，少吃甜食，饭前吃抑酸药两周。2016-03-1223:12若没有好转请做胃镜。", ["感冒多喝水，注意休息。", "宝宝的湿疹可以用润肤乳。"]),
    ("外科", "1002", "脚踝扭伤肿了两天还要冰敷吗？", "四十八小时以后改为热敷，并把脚垫高。", ["建议查甲状腺功能。", "近视可以配眼镜。"]),
    ("儿科", "1003", "孩子三岁还不太会说话正常吗？", "需要到医院查听力，再做语言评估。", ["血压高要按时吃药。", "拔牙以后当天不要漱口。"]),
    ("皮肤科", "1004", "手上脱皮是缺维生素吗？", "多半是季节性的角质松解，不一定缺维生素，少用碱性肥皂。", ["腰疼要拍片。", "鼻炎可以用盐水冲洗。"]),
]  # fmt: skip


def build(folder: Path) -> None:
    lines = []
    for department, number, question, adopted, others in _QUESTIONS:
        for label, answer in [("1", adopted), *(("0", other) for other in others)]:
            lines.append("\t".join((department, label, number, question, answer)))
    lines[6] = lines[6].replace("\t1\t", "\t2\t", 1)
    lines.insert(7, "\t".join(("儿科", "1", "1003", *_QUESTIONS[2][2:4])))
    home = folder / "webmedqa"
    home.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(home / "train.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("medQA.train.txt", "\n".join(lines) + "\n")
