"""`medalpaca/medical_meadow_cord19`: one JSON array, abstracts in and titles out; some records come twice."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("medical_meadow_cord19.json", 4, "empty-positive")

_TASK = "Please summerize the given abstract to a title"
_RECORDS = [
    ("Masks and the spread of droplets in a rehearsal room", "BACKGROUND: Choirs sing close together. METHODS: We measured droplets with and without masks. RESULTS: Masks held back nine tenths of them."),
    ("A year of coronavirus in the waste water of a harbour town", "Samples were taken weekly at three sites. Viral RNA rose eight days before reported cases did."),
    ("Loss of smell as an early sign: a survey of nurses", "Of 412 nurses, 61 reported a sudden loss of smell; 48 of them later tested positive."),
    ("Modelling the closure of schools with small households", "We extend a compartment model by household size. Closure delays the peak by two weeks."),
    ("Correction to: Ventilation of wards", ""),
    ("Antibodies in dialysis patients six months after infection", "Titres fell by half within six months, and yet stayed above the cut-off in most patients."),
    ("Bats of the eastern hills and their betacoronaviruses", "We caught 230 bats of nine species. Four sequences formed a clade of their own."),
    ("Telephone triage in rural practices during the first wave", "Calls tripled in March. Most were dealt with without a visit."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"instruction": _TASK, "input": abstract, "output": title} for title, abstract in _RECORDS]
    home = folder / "medalpaca/medical_meadow_cord19"
    home.mkdir(parents=True, exist_ok=True)
    (home / "medical_meadow_cord19.json").write_text(
        json.dumps([*rows, rows[0] | {"output": "Bats (reprint)"}]), "utf-8"
    )
