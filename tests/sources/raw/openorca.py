"""`Open-Orca/OpenOrca`: Parquet, a file a model; only GPT-4's is read. Some replies are one word."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("en",)
BROKEN = ("1M-GPT4-Augmented.parquet", 3, "empty-positive")

_ROWS = [
    ("niv.100", "", "Read the passage and say who lost the boat.\n\nTom lent his boat to Ann, who left it untied.", "Ann lost it: she left it untied."),
    ("flan.7", "Think step by step.", "Premise: All the lamps are lit.\nHypothesis: It is dark inside.\nDoes the premise entail the hypothesis?", "No. Lit lamps give light, so the room is not dark."),
    ("t0.31", "", "Is this review positive?\nThe soup was cold and the waiter rude.", "No"),
    ("cot.12", "", "A crate holds 12 jars. How many jars are in 5 crates?", ""),
    ("niv.101", "Answer as if to a child.", "Why does ice float?", "Ice takes up more room than the water it came from, so it is lighter for its size."),
    ("flan.8", "", "Translate to Latin: the river is wide.", "Flumen latum est."),
    ("t0.32", "", "Write a title for: Council votes to plant 900 street trees.", "Nine Hundred New Trees for the City"),
    ("cot.13", "", "Which is heavier, a litre of oil or of water?", "Water: oil floats on it, so a litre of oil weighs less."),
    ("niv.102", "", "Give an antonym of ‘scarce’.", "Plentiful"),
    ("niv.103", "", "Write the facts as JSON.\n\nThe mill in Orsk has two wheels.", '{\n  "mill": {\n    "town": "Orsk",\n    "wheels": 2\n  }\n}'),
    ("flan.9", "", "Does the word ‘bank’ mean the same in: ‘river bank’, ‘savings bank’?", "It does not; the first is the edge of water, the second a business."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [dict(zip(("id", "system_prompt", "question", "response"), row, strict=True)) for row in _ROWS]
    home = folder / "Open-Orca/OpenOrca"
    write_parquet(home / "1M-GPT4-Augmented.parquet", rows)
    write_parquet(home / "3_5M-GPT3_5-Augmented.parquet", [rows[0] | {"response": "Ann did."}])
