"""`Mohammed-Altaf/medical-instruction-120k`: one JSON array of transcripts with a preamble and markers."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("medicare_110k_train.json", 4, "no-reply")

_PREAMBLE = "The conversation between Human and AI assistant named MedChat\n"
_TURNS = [
    "[|Human|] I have been coughing for three weeks, mostly at night. \n[|AI|] Hello, a cough that long may come from asthma or reflux. A chest X-ray would be my first step.",
    "[|Human|] Can I take ibuprofen with my blood thinner?\n[|AI|] Better not: together they make bleeding likelier. Paracetamol is the safer choice.",
    "[|Human|] my knee clicks when i climb stairs, should i worry\n[|AI|] Hi, clicking without pain or swelling is harmless.",
    "[|Human|] What is a normal resting pulse?\n[|AI|] Between 60 and 100 beats a minute.\n[|Human|] And for athletes?\n[|AI|] It may be as low as 40.",
    "[|Human|] I feel dizzy when I get up.",
    "[|Human|] Does a burn need butter?\n\n[|AI|] No. Cool it under running water\nfor twenty minutes, and cover it.",
    "[|Human|] I stopped smoking and now I am hungry all day.\n[|AI|] That is common, and fades within some months. Keep raw vegetables at hand.",
    "[|Human|] My daughter's ear was pierced and is red now.\n[|AI|] Clean it twice a day with saline; see a doctor if pus or fever come.",
    "[|AI|] How can I help you?",
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "Mohammed-Altaf/medical-instruction-120k"
    home.mkdir(parents=True, exist_ok=True)
    rows = [{"Conversation": _PREAMBLE + turns} for turns in _TURNS]
    (home / "medicare_110k_train.json").write_text(json.dumps(rows), "utf-8")
    (home / "medicare_110k_test.json").write_text(json.dumps(rows[:1]), "utf-8")
