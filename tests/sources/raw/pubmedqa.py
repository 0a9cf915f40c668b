"""`qiaojin/PubMedQA`: Parquet, the sections of an abstract in a list below a struct, the conclusion on its own."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("pqa_unlabeled/train-00000-of-00001.parquet", 4, "empty-positive")

_ROWS = [
    ("Does warm compression shorten labour?", [("BACKGROUND", "Compresses are common, their effect is not known."), ("METHODS", "We randomised 210 women."), ("RESULTS", "Labour lasted 41 min less.")], "Warm compression shortens labour."),
    ("Is serum ferritin a marker of altitude sickness?", [("OBJECTIVE", "To relate ferritin to symptoms in trekkers."), ("RESULTS", "No correlation was found (r = 0.04).")], "It is not."),
    ("Do school gardens change what children eat?", [("METHODS", "Eleven schools, diaries of a week."), ("RESULTS", "Vegetable portions rose from 1.2 to 1.7 a day.")], "Gardens help a little."),
    ("Colonic stenting before surgery: is it cost effective?", [("AIM", "To compare costs in 64 patients."), ("RESULTS", "€ 9,200 against € 11,900.")], "Stenting saves money."),
    ("Are left-handed surgeons at a disadvantage?", [], "The question stays open."),
    ("Can dogs smell hypoglycaemia?", [("METHODS", "Six dogs sniffed 144 swabs."), ("RESULTS", "Hit rate 0.87; false alarms 0.10.")], "They can."),
    ("Does reading aloud improve speech after stroke?", [("RESULTS", "Scores rose in both groups alike.")], "Not more than other therapy."),
    ("Should all patients with gout be screened for sleep apnoea?", [("METHODS", "Polysomnography in 98 patients."), ("RESULTS", "Forty had apnoea; none had been told.")], "Screening is worth a thought."),
]  # fmt: skip
_CONTEXT = pa.struct([(name, pa.list_(pa.string())) for name in ("contexts", "labels", "meshes")])


def build(folder: Path) -> None:
    rows = []
    for number, (question, sections, conclusion) in enumerate(_ROWS):
        context = {
            "contexts": [text for _, text in sections],
            "labels": [name for name, _ in sections],
            "meshes": ["Humans"],
        }
        rows.append({"pubid": 70000 + number, "question": question, "context": context, "long_answer": conclusion})
    schema = pa.schema(
        [("pubid", pa.int32()), ("question", pa.string()), ("context", _CONTEXT), ("long_answer", pa.string())]
    )
    home = folder / "qiaojin/PubMedQA/pqa_unlabeled"
    home.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), home / "train-00000-of-00001.parquet")
