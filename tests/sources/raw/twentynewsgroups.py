"""`SetFit/20_newsgroups`: JSON lines; a post that was nothing but a quotation is empty."""

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("en",)
BROKEN = ("train.jsonl", 4, "empty-query")

_POSTS = [
    (7, "rec.autos", "My clutch slips in third gear only.\nAnyone seen this on an '88 hatchback?\n"),
    (14, "sci.space", "The probe will pass the moon twice before it leaves.\n\n  Launch window: 4 days."),
    (7, "rec.autos", "Winter tyres on the rear axle alone are a bad idea, and here is why."),
    (3, "comp.sys.ibm.pc.hardware", "IRQ 5 is taken by the sound card, so move the scanner to 11."),
    (14, "sci.space", ""),
    (3, "comp.sys.ibm.pc.hardware", "Will a 486 board take 30-pin and 72-pin memory at once?"),
    (14, "sci.space", "Has anyone a table of orbital decay against solar activity?"),
    (15, "soc.religion.christian", "A question on the older psalters and how they were sung."),
    (3, "comp.sys.ibm.pc.hardware", "Two floppy drives, one cable, no luck. Jumper DS0 or DS1?"),
    (7, "rec.autos", "My clutch slips in third gear only.\nAnyone seen this on an '88 hatchback?\n"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "SetFit/20_newsgroups"
    rows = [{"text": text, "label": label, "label_text": name} for label, name, text in _POSTS]
    jsonl(home / "train.jsonl", rows)
    jsonl(home / "test.jsonl", rows[:2])
