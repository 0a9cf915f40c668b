"""`neuclir/csl`: gzipped JSON lines beside a machine translation; a record has lost its field."""

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("zh",)
BROKEN = ("data/csl.jsonl.gz", 4, "unknown-label")

_PAPERS = [
    (
        "桥梁拉索风致振动的现场观测",
        "在两座斜拉桥上连续观测一年，给出了拉索振动与风速的关系。",
        "工学",
        "Engineering",
        "土木工程",
    ),
    ("稻田甲烷排放的昼夜变化", "用静态箱法测量了稻田甲烷排放，夜间低于白天。", "农学", "Agronomy", "农业资源利用"),
    ("低温润滑脂的流变特性", "测定了三种润滑脂在零下四十度的黏度。", "工学", "Engineering", "机械工程"),
    ("一类时滞方程的周期解", "用不动点定理证明了周期解的存在。", "理学", "Science", "数学"),
    ("字段缺失的论文", "这篇论文没有学科门类。", "", "", "数学"),
    ("苹果树腐烂病的早期诊断", "提出了一种根据叶片\ue003光谱识别\u200b腐烂病的方法。", "农学", "Agronomy", "植物保护"),
    ("石墨烯薄膜的热导率", "比较了两种测量石墨烯薄膜热导率的方法。", "理学", "Science", "物理学"),
    ("明代漕运账册考", "从账册看明代漕运的损耗。", "历史学", "History", "中国史"),
    ("县域普惠金融与农户借贷", "基于问卷的研究表明，距离仍是主要障碍。", "经济学", "Economics", "应用经济学"),
]


def build(folder: Path) -> None:
    rows = [
        {
            "doc_id": f"csl-{number:06d}", "title": title, "abstract": abstract, "keywords": [discipline, title[:4]],
            "category": category, "category_eng": english, "discipline": discipline, "discipline_eng": "",
        }
        for number, (title, abstract, category, english, discipline) in enumerate(_PAPERS)
    ]  # fmt: skip
    jsonl(folder / "neuclir/csl/data/csl.jsonl.gz", rows)
    jsonl(folder / "neuclir/csl/data/csl.gt.063023.jsonl.gz", [rows[0] | {"title": "translated"}])
