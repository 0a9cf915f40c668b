"""`FreedomIntelligence/huatuo_knowledge_graph_qa`: JSON lines, a list of one question and one of short answers."""

import json
from pathlib import Path

SUBSETS = ("zh",)
BROKEN = ("train_datasets.jsonl", 6, "empty-positive")

_RECORDS = [
    (["荨麻疹应该做哪些检查？"], ["血常规", "过敏原检测", "皮肤划痕试验"]),
    (["中耳炎有哪些症状？"], ["耳痛", "听力下降", "发热"]),
    (["阿莫西林的适应症是什么？"], ["敏感菌所致的呼吸道感染；泌尿道感染"]),
    (["腱鞘炎属于哪个科室？"], ["骨科"]),
    (["踝关节扭伤怎么预防？"], ["运动前热身", "穿合适的鞋"]),
    (["痛风的高危人群有哪些？"], ["中年男性", "肥胖者"]),
    (["白癜风的并发症是什么？"], []),
    (["急性肠胃炎的药物治疗有哪些？"], ["口服补液盐", "蒙脱石散"]),
    (["近视的别名是什么？"], ["短视眼"]),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "FreedomIntelligence/huatuo_knowledge_graph_qa"
    home.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"questions": q, "answers": a}, ensure_ascii=False) + "\n" for q, a in _RECORDS]
    (home / "train_datasets.jsonl").write_text("".join(lines), "utf-8")
    for split in ("validation", "test"):
        (home / f"{split}_datasets.jsonl").write_text('{"questions": ["留"], "answers": ["出"]}\n', "utf-8")
