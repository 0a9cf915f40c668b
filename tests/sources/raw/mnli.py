"""`nyu-mll/multi_nli`: Parquet with parses beside the texts; hypotheses of a premise far apart, some of them empty."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 3, "empty-positive")

_PREMISES = [
    ("The harbour was dredged in spring so that larger ferries could dock.", "The harbour was made fit for bigger boats.", "The ferries carry mostly lorries.", "Nothing was done to the harbour."),
    ("uh-huh well we moved out here when the kids were small", "The speaker moved when the children were young.", "They moved for the schools.", "The speaker never had children."),
    ("Under the rule, an agency must answer a complaint within ninety days.", "Agencies have a time limit for complaints.", "Most agencies answer within a week.", "Agencies may ignore complaints."),
    ("yeah", "", "The speaker agrees about taxes.", "The speaker says no."),
    ("The cathedral's two towers, one never finished, rise above the market square.", "One of the towers was not completed.", "The towers are the tallest of the region.", "The cathedral has no towers."),
    ("He put the letter back in its envelope and said nothing of it at supper.", "He kept quiet about the letter.", "The letter was from his brother.", "He read the letter aloud at supper."),
    ("Grain prices doubled while wages stood still.", "Wages did not rise with prices.", "People emigrated because of the prices.", "Grain got cheaper."),
    ("The museum opens at ten, except on Mondays, when it stays shut.", "On Monday one cannot visit the museum.", "The museum is free on Sundays.", "The museum is open every day."),
    ("i i think they ought to fix the roads first", "The speaker wants the roads repaired.", "The roads were damaged by frost.", "The speaker likes the roads as they are."),
]  # fmt: skip


def build(folder: Path) -> None:
    texts = [(premise, hypotheses[label], label) for label in range(3) for premise, *hypotheses in _PREMISES]
    texts += [("Nobody came.", "Somebody came early.", 2), ("The plan has merit.", "The plan is liked.", -1)]
    rows = [
        {
            "promptID": number, "pairID": f"{number}x", "premise": premise, "premise_binary_parse": f"( {premise} )",
            "premise_parse": f"(ROOT {premise})", "hypothesis": hypothesis,
            "hypothesis_binary_parse": f"( {hypothesis} )", "hypothesis_parse": f"(ROOT {hypothesis})",
            "genre": ("travel", "telephone", "government", "fiction", "slate")[number % 5], "label": label,
        }
        for number, (premise, hypothesis, label) in enumerate(texts)
    ]  # fmt: skip
    home = folder / "nyu-mll/multi_nli/data"
    home.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), home / "train-00000-of-00001.parquet")
    for split in ("matched", "mismatched"):
        pq.write_table(pa.Table.from_pylist(rows[:2]), home / f"validation_{split}-00000-of-00001.parquet")
