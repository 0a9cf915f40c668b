"""`GritLM/MEDI2`: JSON lines, a file a task; every text is a pair of an instruction and the text itself."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("en",)
BROKEN = ("stackexchange.jsonl", 2, "empty-query")

_ASK, _FIND = "Represent the question; ", "Represent the passage; "
_TASKS = {
    "stackexchange": [
        ("How do I stop a door from squeaking?", ["Oil the hinges and work the door to and fro."], ["Plane the edge where it sticks.", "Use a longer key."]),
        ("Can I freeze cooked rice?", ["Yes, cool it quickly and freeze it flat.", "Frozen rice keeps a month."], ["Rinse rice before cooking."]),
        ("", ["Tune the low string first."], ["Replace the strings each year."]),
        ("Why is my bread dense?", ["The dough rose too little, or the flour lacks gluten."], []),
    ],
    "task137_titles": [
        ("Comet seen over the bay last night", ["A bright comet crossed the sky above the bay on Tuesday."], ["The bay will be dredged in spring."]),
        ("Library opens on Sundays", ["From May the town library lets readers in on Sundays."], ["The bakery closes on Sundays.", ""]),
    ],
    "task022_sentiment_test": [
        ("The plot drags and the jokes are stale.", ["Two hours I will never get back."], ["A joy from the first scene to the last."]),
        ("wonderful", ["superb"], ["dreadful"]),
        ("Neat little camera.", ["Neat little camera."], ["It broke in a week."]),
    ],
    "paraphrases": [
        ("He was over the moon.", ["He was very happy indeed."], ["He went to the moon.", "He was asleep."]),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for number, (task, rows) in enumerate(_TASKS.items()):
        records = [
            {"query": [_ASK, query], "pos": [[_FIND, text] for text in positives],
             "neg": [[_FIND, text] for text in negatives], "task_id": number}
            for query, positives, negatives in rows
        ]  # fmt: skip
        write_jsonl(folder / f"GritLM/MEDI2/{task}.jsonl", records)
