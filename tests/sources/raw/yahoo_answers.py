"""`sentence-transformers/yahoo-answers`: Parquet; the question is title and body, often typed in a hurry."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("title-question-answer-pair/train-00000-of-00001.parquet", 6, "query-equals-positive")

_ROWS = [
    ("how do i get candle wax out of a carpet? its a cream one and my landlord comes on friday", "put a paper bag on it and iron on low, the bag soaks it up"),
    ("Why do geese fly in a V? Is it to see each other?", "Each bird gets some lift from the one in front, and they take turns at the tip."),
    ("what is 3/8 as a decimal? i need it for homework", "0.375. Divide 3 by 8."),
    ("anyone know a good place to camp near Bled?? we have a small tent", "Try the far end of the lake, it is quieter and you can swim."),
    ("Is it ok to run with a cold? I have a 10k next week.", "If it is above the neck, slowly. If you have a fever, no.<br />\nDrink a lot."),
    ("My hamster does not come out of his wheel\\nis he sick?", "He is probably just bored, give him something to dig in."),
    ("who won?", "who won?"),
    ("How does a bill become law in Canada? short version please", "Both houses read it three times, then it gets royal assent."),
    ("why does $x \\neq y$ not print in my homework? it shows a box", "your font lacks the sign. try another one:<br />\\n  1. DejaVu<br />\\n  2. STIX"),
    ("best way to learn chords on guitar? i am 40", "Two chords at a time, switch between them to a metronome, ten minutes daily."),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/yahoo-answers/title-question-answer-pair"
    home.mkdir(parents=True, exist_ok=True)
    question, answer = zip(*_ROWS, strict=True)
    pq.write_table(pa.table({"question": question, "answer": answer}), home / "train-00000-of-00001.parquet")
