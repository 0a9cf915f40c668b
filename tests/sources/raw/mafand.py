"""`masakhane/mafand`, converted: a folder a pair, sentences of the news as `translation`."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("fr-bbj", "en-pcm")
BROKEN = ("fr-bbj/train/0000.parquet", 1, "empty-positive")

_PAIRS = {
    "fr-bbj": [("Le marché ouvre tôt.", "Ntāʼ é cúʼtə́ tsə́ʼ."), ("Rien n'est traduit.", ""), ("Il pleut depuis lundi.", "Mbə̀ŋ pɔ́ŋ bə́ lə́ lundi.")],
    "en-pcm": [("The minister did not answer the question.", "Di minister no gree ansa di kweshon."), ("Prices have doubled since January.", "Price don double since January.")],
}  # fmt: skip


def build(folder: Path) -> None:
    for pair, texts in _PAIRS.items():
        source, target = pair.split("-")
        rows = [{"translation": {source: a, target: b}} for a, b in texts]
        home = folder / "masakhane/mafand" / pair
        parquet(home / "train/0000.parquet", rows)
        parquet(home / "test/0000.parquet", rows[:1])
