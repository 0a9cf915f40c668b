"""`kardosdrur/synthetic-nordic-classification`: each text with its label and a misleading one, of a task of its own."""

from pathlib import Path

from tests.sources.rawkit.nordic import nordic

SUBSETS = ("norwegian", "danish", "swedish")
BROKEN = ("norwegian-00000-of-00001.parquet", 2, "both-labels")

_RECORDS = {
    "norwegian": [
        ("Ferjen var forsinket igjen, og ingen sa fra.", "misfornøyd", "fornøyd"),
        ("Katten har ikke spist siden mandag og ligger bare i kurven.", "helse", "lek"),
        ("Noe er galt her.", "usikker", "usikker"),
        ("Vi vant kampen i siste minutt!", "sport", "politikk"),
    ],
    "danish": [
        ("Kan jeg få pengene tilbage for billetten?", "refusion", "booking"),
        ("Fyret blev slukket i 1976 og er nu museum.", "historie", "vejr"),
    ],
    "swedish": [
        ("Den här soppan är för salt.", "negativ", "positiv"),
        ("Snöfall väntas under natten i norr.", "väder", "trafik"),
        ("Boken slutar alldeles för fort, men vilken resa!", "blandad", "negativ"),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    nordic(folder, "classification", ("input_text", "label", "misleading_label"), _RECORDS)
