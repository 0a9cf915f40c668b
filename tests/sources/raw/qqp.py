"""`nyu-mll/glue`, configuration `qqp`: pairs of questions in Parquet; a few questions are empty."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 4, "empty-positive")

_PAIRS = [
    ("How do I sharpen a kitchen knife?", "What is the best way to sharpen a knife at home?", 1),
    ("How do I sharpen a kitchen knife?", "How do I clean a kitchen knife?", 0),
    ("Which instrument should a child learn first?", "What instrument is easiest for children to start with?", 1),
    ("How do I sharpen a chisel?", "How do I sharpen a kitchen knife?", 0),
    ("How can I build an app for my phone?", "", 1),
    ("Why is the sky red at dusk?", "Why does the sky turn red in the evening?", 1),
    ("Why is the sky red at dusk?", "Why is the sky blue at noon?", 0),
    ("Is it safe to travel alone in Peru?", "Is Peru safe for somebody travelling alone?", 1),
    ("Is it safe to travel alone in Peru?", "Is it cheap to travel alone in Peru?", 0),
    # A verdict given twice, once each way; the third question shows which pairs are left to tell apart.
    ("What is inflation?", "How would you explain inflation?", 1), ("How would you explain inflation?", "What is inflation?", 0),
    ("What is inflation?", "What is deflation?", 0),
    ("How do I learn to swim as an adult?", "Can adults still learn to swim, and how?", 1),
    ("What does a notary do?", "What is the job of a notary?", 1), ("Who won the match?", "Who won?", -1),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"question1": a, "question2": b, "label": label, "idx": n} for n, (a, b, label) in enumerate(_PAIRS)]
    home = folder / "nyu-mll/glue/qqp"
    home.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), home / "train-00000-of-00001.parquet")
    for split in ("validation", "test"):
        pq.write_table(pa.Table.from_pylist(rows[:2]), home / f"{split}-00000-of-00001.parquet")
