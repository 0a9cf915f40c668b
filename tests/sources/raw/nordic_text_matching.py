"""`kardosdrur/synthetic-nordic-text_matching`: a text and one that belongs to it, short or long."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.nordic import nordic

SUBSETS = ("danish", "norwegian", "swedish")
BROKEN = ("danish-00000-of-00001.parquet", 2, "query-equals-positive")

_RECORDS = {
    "danish": [
        ("Søger hjælp til at male et fyrtårn", "Maler med erfaring fra havne tilbyder arbejde på høje bygninger hele sommeren."),
        ("Opskrift på rugbrød uden gær", "Surdejen skal stå natten over, før du blander rugmel, vand og salt i."),
        ("Ens tekst", "Ens tekst"),
        ("Hvornår går den sidste færge?", "Sidste afgang fra øen er klokken 22.15 på hverdage."),
    ],
    "norwegian": [
        ("Slik pusser du opp en gammel båt", "Skrap av den gamle malingen, tett sprekkene og la treet tørke i to uker."),
        ("Fjelltur med barn", "Velg en kort rute med bål og utsikt, og ta med ekstra votter."),
        ("Hvorfor ule hunden om natten?", "Hunder uler når de hører sirener eller savner flokken sin."),
    ],
    "swedish": [
        ("Hur länge håller sig äpplen i källaren?", "Svala och mörka källare bevarar äpplen till februari."),
        ("Köpa begagnad cykel", "Kontrollera kedjan, bromsarna och ramnumret innan du betalar."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    nordic(folder, "text_matching", ("input", "positive_document"), _RECORDS)
