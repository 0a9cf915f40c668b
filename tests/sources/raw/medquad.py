"""`lavita/MedQuAD`: questions of health authorities; two of three answers were taken out and are null."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 5, "empty-query")

_RECORDS = [
    ("Frostnip", "information", "What is (are) Frostnip ?", "Frostnip is a mild injury of the skin by cold. The skin turns pale and numb, and recovers when it is warmed."),
    ("Frostnip", "prevention", "How to prevent Frostnip ?", "Cover ears, nose and fingers. Change wet socks and gloves at once."),
    ("Iodine test", "information", "What is (are) Iodine test ?", None),
    ("Sea sickness", "treatment", "What are the treatments for Sea sickness ?", "Look at the horizon, stay in the middle of the ship, and eat little. Tablets help when taken an hour before the voyage."),
    ("Sea sickness", "symptoms", "What are the symptoms of Sea sickness ?", None),
    ("Scurvy", "causes", "", "A lack of vitamin C over some months."),
    ("Scurvy", "genetic changes", "What are the genetic changes related to Scurvy ?", "Scurvy is not inherited."),
    ("Barnacle rash", "complications", "What are the complications of Barnacle rash ?", "Infected scratches.\n\nSee a doctor if the skin is hot or swollen."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {
            "document_id": f"{number:07d}", "document_source": "MadeUpHealth", "document_url": None, "category": "Disease",
            "umls_cui": None, "synonyms": None, "question_id": f"{number:07d}-1", "question_focus": focus,
            "question_type": kind, "question": question, "answer": answer,
        }
        for number, (focus, kind, question, answer) in enumerate(_RECORDS)
    ]  # fmt: skip
    parquet(folder / "lavita/MedQuAD/data/train-00000-of-00001.parquet", rows)
