"""`mteb/scifact`: JSON lines with numbers as ids, in quotes; several abstracts may speak to a claim."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("qrels/train.jsonl", 7, "missing-query")

_ABSTRACTS = {
    "4001": ("Night shifts and glucose tolerance in nurses", "We followed 212 nurses for two years. Those on rotating shifts had higher fasting glucose."),
    "4002": ("Shift work without metabolic effect in a Finnish cohort", "No association was found after adjusting for body mass."),
    "4003": ("Zinc finger protein ZF9 in axon regrowth", "Loss of ZF9 delayed regrowth of crushed sciatic axons in mice."),
    "4004": ("A trial of honey against night cough in children", "Parents rated cough lower after a spoon of honey than after none."),
    "4005": ("Mitochondrial copy number declines with age", "Copy number in blood fell by 0.4 percent a year."),
    "4006": ("Phage therapy of burn wounds", "Phage cocktails cleared Pseudomonas in seven of nine patients."),
    "4007": ("", "Untitled letter: vitamin D levels did not predict fractures in our clinic."),
    "4008": ("Handwashing stations in schools", "Absence fell by a fifth where stations were built."),
}  # fmt: skip
_CLAIMS = {
    "3": ("Rotating shift work impairs glucose tolerance.", ["4001", "4002"]),
    "17": ("ZF9 is dispensable for regrowth of peripheral axons.", ["4003"]),
    "42": ("Honey relieves cough at night in children.", ["4004"]),
    "50": ("Mitochondrial DNA copy number rises with age.", ["4005"]),
    "51": ("Bacteriophages can clear infected burns.", ["4006"]),
    "77": ("Low vitamin D predicts fractures.", ["4007"]),
    "80": ("Handwashing stations reduce absence from school.", ["4008"]),
}


def build(folder: Path) -> None:
    judged: list[tuple[str, str, object]] = [(key, page, 1) for key, (_, pages) in _CLAIMS.items() for page in pages]
    judged.insert(7, ("81", "4008", 1))
    beir.collection(folder / "mteb/scifact", {key: text for key, (text, _) in _CLAIMS.items()}, _ABSTRACTS, judged)
