"""`rajpurkar/squad`: Parquet with nested answers, several questions a paragraph."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 4, "empty-query")

_PARAGRAPHS = {
    "Lighthouse": (
        "The lighthouse at Skerry Point was lit for the first time in 1844. Its lamp burned colza oil until 1871, "
        "when paraffin took over.",
        [("When was the lighthouse at Skerry Point first lit?", "1844"), ("What did the lamp burn at first?", "colza oil"),
         ("What replaced the oil in 1871?", "paraffin")],
    ),
    "Salt": (
        "Salt was carried over the Tauern pass on mules. A mule took four blocks of forty kilogrammes, and a train of "
        "twenty mules needed three days.",
        [("How was salt carried over the pass?", "on mules"), ("", "four"), ("How long did a train take?", "three days")],
    ),
    "Café": (
        "Le café de la Régence, à Paris, drew the chess players of Europe; Philidor’s followers met there daily.",
        [("Who met at the Régence?", "chess players"), ("In which city was the Régence?", "Paris")],
    ),
    "Tides": (
        "Spring tides come twice a month, at new and at full moon, when the sun’s pull adds to the moon’s. Neap tides "
        "follow a week after each.",
        [("When do spring tides come?", "at new and at full moon"), ("What follows a week after?", "Neap tides"),
         ("Whose pull adds to the moon’s?", "the sun’s")],
    ),
    "Quarry": (
        "Slate from the Penrhyn quarry roofed half of Hamburg after the fire of 1842.",
        [("Which city got roofs of Penrhyn slate?", "Hamburg"), ("When was the fire?", "1842")],
    ),
}  # fmt: skip


def table(prefix: str) -> pa.Table:
    rows = []
    for title, (context, questions) in _PARAGRAPHS.items():
        for question, answer in questions:
            at = max(context.find(answer), 0)
            rows.append(
                {
                    "id": f"{prefix}{len(rows):024x}",
                    "title": title,
                    "context": context if prefix == "a" else f"({prefix}) {context}",
                    "question": question,
                    "answers": {"text": [answer], "answer_start": [at]},
                }
            )
    answers = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
    schema = pa.schema([("id", pa.string()), ("title", pa.string()), ("context", pa.string()),
                        ("question", pa.string()), ("answers", answers)])  # fmt: skip
    return pa.Table.from_pylist(rows, schema)


def build(folder: Path) -> None:
    home = folder / "rajpurkar/squad/plain_text"
    home.mkdir(parents=True, exist_ok=True)
    pq.write_table(table("a"), home / "train-00000-of-00001.parquet")
    pq.write_table(table("b"), home / "validation-00000-of-00001.parquet")
