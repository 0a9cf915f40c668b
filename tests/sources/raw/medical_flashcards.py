"""`medalpaca/medical_meadow_medical_flashcards`: one JSON array; the instruction is the same for all records."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("medical_meadow_wikidoc_medical_flashcards.json", 2, "empty-query")

_CARDS = [
    ("Which vitamin prevents scurvy on long voyages?", "Vitamin C prevents scurvy on long voyages; lemons and cabbage were carried for it."),
    ("What does a barometer that falls quickly say about the pressure of the air?", "A barometer that falls quickly shows that the pressure of the air drops, as before a storm."),
    ("", ""),
    ("What is the term for water on the knee?", "The term for water on the knee is effusion of the knee joint."),
    ("Which bone of the wrist breaks most often in a fall on the hand?", "The scaphoid is the bone of the wrist that breaks most often in a fall on the outstretched hand."),
    ("What is the antidote for an overdose of paracetamol?", "The antidote for an overdose of paracetamol is N-acetylcysteine, given as early as possible."),
    ("Which nerve is tested by asking to shrug the shoulders?", "Shrugging the shoulders tests the accessory nerve, the eleventh cranial nerve."),
]  # fmt: skip


def build(folder: Path) -> None:
    told = "Answer this question truthfully"
    rows = [{"input": question, "output": answer, "instruction": told} for question, answer in _CARDS]
    home = folder / "medalpaca/medical_meadow_medical_flashcards"
    home.mkdir(parents=True, exist_ok=True)
    name = "medical_meadow_wikidoc_medical_flashcards.json"
    (home / name).write_text(json.dumps(rows, indent=4), "utf-8")
