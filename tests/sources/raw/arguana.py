"""`BeIR/arguana-generated-queries`: gzipped JSON lines, three queries an argument."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("train.jsonl.gz", 7, "empty-query")

_ARGUMENTS = [
    ("test-transport-trams-pro01a", "trams free city public transport fares", "Free trams would empty the streets of cars, for people weigh the price of every single trip.",
     ["should public transport be free", "why make trams free of charge", "do fares keep people in their cars"]),
    ("test-transport-trams-con02a", "trams free city public transport quality", "What costs nothing is neglected: without fares there is no money for new carriages.",
     ["what happens to transport without fares", "who pays for free trams", "is free transport of poor quality"]),
    ("training-school-uniform-pro03b", "school uniform equality", "A uniform hides who is rich and who is not, at least until the bell rings.",
     ["do school uniforms help equality", "", "why wear a school uniform"]),
    ("training-digital-ballot-con01a", "", "A paper ballot can be counted again by anybody who doubts the result; a file cannot.",
     ["why are paper ballots safer", "can an electronic vote be recounted", "is online voting safe"]),
]  # fmt: skip


def build(folder: Path) -> None:
    beir.generated(folder / "BeIR/arguana-generated-queries", _ARGUMENTS)
