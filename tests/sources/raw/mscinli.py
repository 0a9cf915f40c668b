"""`sadat2307/MSciNLI`: JSON lines of sentence pairs from papers, four labels in words."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("en",)
BROKEN = ("train.jsonl", 4, "empty-query")

_PAIRS = [
    ("The harbour model needs no labelled data.", "That is, training requires only raw recordings of the tide.", "entailment"),
    ("The harbour model needs no labelled data.", "However, the baseline was trained on ten thousand labelled waves.", "contrasting"),
    ("The harbour model needs no labelled data.", "Section 5 describes the evaluation.", "neutral"),
    ("Errors grow with depth.", "Therefore we stop after nine layers.", "reasoning"),
    ("", "In other words, the network never sees the test period.", "entailment"),
    ("The cache is refreshed once a minute.", "In particular, an entry may be up to sixty seconds old.", "entailment"),
    ("Annotators agreed on 91 % of the pairs.", "In other words, fewer than one pair in ten was disputed.", "entailment"),
    ("Recall improves by four points.", "In contrast, precision stays the same.", "contrasting"),
    ("Recall improves by four points.", "That is, four more of a hundred relevant ships are found.", "entailment"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {"id": n, "sentence1": a, "sentence2": b, "label": label, "domain": "NETWORKS"}
        for n, (a, b, label) in enumerate(_PAIRS)
    ]
    home = folder / "sadat2307/MSciNLI"
    jsonl(home / "train.jsonl", rows)
    jsonl(home / "test.jsonl", rows[:2])
