"""AmazonQA: JSON lines of a question, snippets of reviews, the community's answers and whether the reviews answer it."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("en",)
BROKEN = ("train-qar.jsonl", 3, "empty-query")

_RECORDS = [
    ("Does the kettle switch off by itself?", True, ["It clicks off a few seconds after the water boils, every time.", "Nice blue light."]),
    ("Will this tripod hold a two-pound lens?", True, ["My long lens weighs about that much and nothing sags.", "Legs are stiff at first."]),
    ("Is the strap real leather?", False, ["Arrived a day early.", "My wife likes the colour."]),
    ("", True, ["Works as described.", "Good value."]),
    ("How long is the power cord?", True, ["The cord is just short of six feet, so plan where it goes."]),
    ("Can I wash the cushion cover?", True, ["Zipped the cover off and ran it cold twice; no shrinking so far.", "Firm cushion."]),
    ("Does it come with batteries?", True, []),
    ("Is it loud?", True, ["You hear a low hum in the next room, less than our old fan made.", "Cools a bedroom well."]),
    ("Would it fit a 15-inch laptop?", True, ["My 15.6-inch machine slides in with the charger on top.", "Zippers feel cheap."]),
    ("Is the blade serrated?", False, []),
    ("Do these run small?", True, ["I went half a size up and they fit like my usual pair."]),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {
            "questionText": question,
            "questionType": "yesno" if question.startswith(("Do", "Is", "Will", "Can", "Would")) else "descriptive",
            "review_snippets": snippets,
            "answers": [{"answerText": "See the description.", "answerType": "?", "helpful": [0, 1]}],
            "asin": f"B00{number:07d}",
            "qid": number,
            "category": "Home_and_Kitchen",
            "top_review_wilson": "A good product.",
            "top_review_helpful": "A good product.",
            "is_answerable": int(answerable),
            "top_sentences_IR": snippets[:1],
        }
        for number, (question, answerable, snippets) in enumerate(_RECORDS)
    ]
    write_jsonl(folder / "amazon_qa/train-qar.jsonl", rows)
