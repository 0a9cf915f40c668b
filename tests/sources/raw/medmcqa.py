"""`openlifescienceai/medmcqa`: four options in columns, the number of the right one, and an explanation of many."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 4, "unknown-label")

_QUESTIONS = [
    ("Which nerve is at risk when the surgical neck of the humerus breaks?", ("Radial", "Axillary", "Ulnar", "Median"), 1, "The axillary nerve winds round the surgical neck with the posterior circumflex humeral artery. Ref: anatomy, shoulder."),
    ("A diet of polished rice alone leads to a lack of", ("Vitamin A", "Vitamin C", "Thiamine", "Vitamin D"), 2, None),
    ("The commonest site of a fracture of the scaphoid is its", ("Waist", "Proximal pole", "Distal pole", "Tubercle"), 0, "Ans. is 'a'"),
    ("Night blindness is treated with", ("Retinol", "Niacin", "Folate", "Iron"), 0, "Vitamin A (retinol) restores rhodopsin in the rods, which is used up in dim light."),
    ("A question whose answer was withheld", ("One", "Two", "Three", "Four"), -1, None),
    ("Koplik spots are seen in", ("Mumps", "Measles", "Rubella", "Chickenpox"), 1, "They are white spots on the buccal mucosa opposite the molars, two days before the rash of measles."),
    ("Which of these joints is a saddle joint?", ("Hip", "Elbow", "First carpometacarpal", "Atlantoaxial"), 2, None),
    ("The half-life of a drug is four hours; what is left after twelve?", ("Half", "A quarter", "An eighth", "Nothing"), 2, "Three half-lives have gone by, so an eighth of the dose remains in the body."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {
            "id": f"{number:08x}-made-up", "question": question, **dict(zip(("opa", "opb", "opc", "opd"), options, strict=True)),
            "cop": right, "choice_type": "single" if number % 3 else "multi", "exp": explanation,
            "subject_name": "Anatomy", "topic_name": None,
        }
        for number, (question, options, right, explanation) in enumerate(_QUESTIONS)
    ]  # fmt: skip
    home = folder / "openlifescienceai/medmcqa/data"
    parquet(home / "train-00000-of-00001.parquet", rows)
    parquet(home / "validation-00000-of-00001.parquet", rows[:1])
    parquet(home / "test-00000-of-00001.parquet", rows[4:5])
