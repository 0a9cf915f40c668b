"""`BeIR/bioasq-generated-queries`: gzipped JSON lines of PubMed abstracts; some articles have a title alone."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("train.jsonl.gz", 8, "empty-positive")

_ABSTRACTS = [
    ("90000001", "Uptake of labelled iron by duodenal loops of the guinea pig.", "Loops were perfused for 40 min. Uptake was saturable (Km 12 µM) and halved by cobalt.",
     ["what inhibits iron uptake in guinea pig duodenum", "is duodenal iron absorption saturable", "Km of iron uptake"]),
    ("90000002", "[Frostbite in mountain rescue]", "Sixty-one cases are reviewed. Rapid rewarming at 40 °C gave the best results.",
     ["best treatment for frostbite", "what temperature to rewarm frostbite", "how many cases of frostbite in mountain rescue"]),
    ("90000003", "Lichen dyes as pH indicators: a note.", "", ["can lichen dyes be used as ph indicators", "which dyes come from lichen"]),
    ("90000004", "", "", ["what is the purpose of the study"]),
    ("90000005", "Tau isoforms in retinal ganglion cells", "Four-repeat tau prevailed in adult rats (p<0.01).",
     ["which tau isoform is found in the adult retina", "tau in ganglion cells"]),
]  # fmt: skip


def build(folder: Path) -> None:
    beir.generated(folder / "BeIR/bioasq-generated-queries", _ABSTRACTS)
