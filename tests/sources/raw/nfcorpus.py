"""`mteb/nfcorpus`: JSON lines, scores 1 and 2 in quotes, many documents a query; the best is not always the first."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("qrels/train.jsonl", 6, "missing-document")

_ABSTRACTS = {
    "MED-11": ("Walnuts and endothelial function", "A crossover trial of 18 adults. Brachial dilation improved after four weeks."),
    "MED-12": ("Nuts and mortality", "In two cohorts, those who ate nuts daily died less often."),
    "MED-13": ("Curcumin in knee pain", "Turmeric extract was no worse than ibuprofen over six weeks."),
    "MED-14": ("Sodium reduction and stroke", "A model of what a gram of salt less a day would save."),
    "MED-15": ("Fibre and transit time", "Each gram of bran shortened transit by an hour."),
    "MED-16": ("Coffee and arrhythmia", "Drinkers had no more ectopic beats than abstainers."),
    "MED-17": ("Iodine in seaweed snacks", "Contents varied forty-fold between packets."),
    "MED-18": ("Sleep and appetite hormones", "Ghrelin rose after two short nights."),
}  # fmt: skip
_QUERIES = {
    "PLAIN-3": ("Are walnuts good for the arteries?", [("MED-12", "1"), ("MED-11", "2")]),
    "PLAIN-4": ("turmeric", [("MED-13", "1")]),
    "PLAIN-8": ("How salt ages the heart", [("MED-14", "2"), ("MED-12", "2")]),
    "PLAIN-9": ("constipation", [("MED-15", "1"), ("MED-99", "2")]),
    "PLAIN-12": ("Is coffee bad for your heartbeat?", [("MED-16", "1"), ("MED-18", "1")]),
    "PLAIN-14": ("The best source of iodine", [("MED-17", "2")]),
    "PLAIN-15": ("sleep", [("MED-18", "1")]),
}


def build(folder: Path) -> None:
    judged = [(key, *found) for key, (_, documents) in _QUERIES.items() for found in documents]
    beir.collection(folder / "mteb/nfcorpus", {key: text for key, (text, _) in _QUERIES.items()}, _ABSTRACTS, judged)
