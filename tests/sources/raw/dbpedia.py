"""`BeIR/dbpedia-entity-generated-queries`: gzipped JSON lines, three queries an abstract."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("train.jsonl.gz", 4, "empty-query")

_ABSTRACTS = [
    ("<dbpedia:Skerry_Point_Light>", "Skerry Point Light", "Skerry Point Light is a lighthouse on Skerry Point, first lit in 1844.",
     ["when was skerry point light first lit", "what is skerry point light", "skerry point lighthouse"]),
    ("<dbpedia:Tauern_Salt_Trail>", "Tauern Salt Trail", "The Tauern Salt Trail is a pass in the Alps over which salt was carried on mules.",
     ["what was carried over the tauern salt trail", "", "where is the tauern salt trail"]),
    ("<dbpedia:Grete_Lind>", "Grete Lind", "Grete Lind (born 1931) is a Norwegian oboist.",
     ["who is grete lind", "what instrument does grete lind play", "when was grete lind born"]),
]  # fmt: skip


def build(folder: Path) -> None:
    beir.generated(folder / "BeIR/dbpedia-entity-generated-queries", _ABSTRACTS)
