"""`fzkuji/MedQA`: a folder a configuration, five options as a list of objects with key and value."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en", "zh")
BROKEN = ("med_qa_en_source/train-00000-of-00001.parquet", 3, "unknown-label")

_QUESTIONS = {
    "en": [
        ("A 34-year-old sailor has bled from his gums since a voyage of four months without fresh food. Which of the following is the most likely deficiency?", ["Ascorbic acid", "Cobalamin", "Iron", "Thiamine", "Zinc"], 0, "step1"),
        ("A 61-year-old woman wakes with one swollen and tender calf after a flight of eleven hours. What is the most appropriate next step?", ["Antibiotics", "Compression ultrasonography", "Diuretics", "Rest", "Venography"], 1, "step2&3"),
        ("A newborn has a harsh murmur at the lower left sternal border. Which defect is the most common?", ["Atrial septal defect", "Coarctation of the aorta", "Patent ductus arteriosus", "Tetralogy of Fallot", "Ventricular septal defect"], 4, "step1"),
        ("A 20-year-old man has no memory of the minutes before a fall. What should be done?", ["Discharge", "Observation", "Craniotomy", "Sedation", "Dialysis"], None, "step2&3"),
        ("A gardener has a nodule on his finger and others along the lymph vessels of his arm. Which drug is indicated?", ["Amoxicillin", "Itraconazole", "Isoniazid", "Penicillin", "Zidovudine"], 1, "step1"),
    ],
    "zh": [
        ("男，60岁。饮酒后右足大趾红肿剧痛一天。最可能的诊断是", ["丹毒", "痛风", "骨折", "类风湿关节炎", "脉管炎"], 1, "第一部分"),
        ("长期单纯吃精米最容易缺乏的是", ["维生素A", "维生素B1", "维生素C", "维生素D", "铁"], 1, "第二部分"),
        ("诊断骨折最可靠的依据是", ["疼痛", "肿胀", "异常活动", "瘀斑", "功能障碍"], 2, "第一部分"),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for subset, questions in _QUESTIONS.items():
        rows = [
            {
                "meta_info": part,
                "question": question,
                "answer_idx": "?" if right is None else "ABCDE"[right],
                "answer": "None of these" if right is None else options[right],
                "options": [{"key": key, "value": value} for key, value in zip("ABCDE", options, strict=True)],
            }
            for question, options, right, part in questions
        ]
        home = folder / f"fzkuji/MedQA/med_qa_{subset}_source"
        parquet(home / "train-00000-of-00001.parquet", rows)
        parquet(home / "test-00000-of-00001.parquet", rows[:1])
        parquet(home / "validation-00000-of-00001.parquet", rows[:1])
