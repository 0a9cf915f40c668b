"""`community-datasets/tapaco`, converted: sentences with the number of their set of paraphrases, a folder a language."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("ie", "toki", "ota")
BROKEN = ("ie/train/0000.parquet", 3, "empty-query")

_SETS = {
    "ie": {"1": ["Yo ama te.", "Yo ama vos."], "2": ["Ella es bell.", "", "Ella ha un bell visage."], "3": ["It pluvia."]},
    "toki": {"7": ["mi wile moku.", "mi wile e moku."], "8": ["sina pona.", "sina jan pona."]},
    "ota": {"4": ["گل", "بورایه گل"], "5": ["نصلسك", "نه حالده سك", "كیفك نصل"]},
}  # fmt: skip


def build(folder: Path) -> None:
    for language, sets in _SETS.items():
        rows = [
            {
                "paraphrase_set_id": number, "sentence_id": f"{number}{place:03d}", "paraphrase": text, "lists": [""],
                "tags": [""], "language": language,
            }
            for number, texts in sets.items()
            for place, text in enumerate(texts)
        ]  # fmt: skip
        parquet(folder / "community-datasets/tapaco" / language / "train/0000.parquet", rows)
