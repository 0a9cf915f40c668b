"""`xz97/MedInstruct`: one JSON array; where there is no input it says so in many ways."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("MedInstruct-52k.json", 5, "empty-positive")

_RECORDS = [
    ("Explain to a patient why antibiotics do not help against a cold.", "<noinput>", "A cold is caused by viruses, and antibiotics act on bacteria only. Taking them would bring side effects and no benefit."),
    ("Name the most likely diagnosis.", "A man of 30 has had pain in the right lower abdomen for a day, with fever and loss of appetite.", "Acute appendicitis."),
    ("Put these steps of hand washing in order.", "rinse; wet; dry; soap and rub", "Wet, soap and rub, rinse, dry."),
    ("List three foods that are rich in iron.", "", "Lentils, beef liver, spinach."),
    ("Rewrite the sentence in plain language.", "The patient is afebrile and ambulating without assistance.", "The patient has no fever and walks on their own."),
    ("Describe the function of the gallbladder.", "<noinput>", ""),
    ("Decide whether the statement is true.", "Insulin is produced in the pancreas.", "True."),
    ("Write a short reminder for a patient about an eye appointment.", "<noinput>", "You have an appointment at the eye clinic on Monday at nine. Please do not drive, as your pupils will be widened."),
    ("Convert the dose.", "0.25 g to milligrams", "250 mg"),
    ("Name a vitamin that dissolves in fat.", "NA", "Vitamin D."),
    ("Say how long a common cold lasts.", "N/A.", "A week to ten days."),
    ("Give one sign of dehydration.", " No input", "Dark urine."),
    ("Define tachycardia.", "<noinput>\n(no further details)", "A heart rate above a hundred beats a minute."),
    ("Classify the gas.", "NaCl in water gives off none.", "There is no gas."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [dict(zip(("instruction", "input", "output"), record, strict=True)) for record in _RECORDS]
    home = folder / "xz97/MedInstruct"
    home.mkdir(parents=True, exist_ok=True)
    (home / "MedInstruct-52k.json").write_text(json.dumps(rows, indent=4), "utf-8")
    (home / "MedInstruct-test.json").write_text(json.dumps(rows[:1]), "utf-8")
