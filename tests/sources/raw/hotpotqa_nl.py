"""`clips/beir-nl-hotpotqa`: the tables of BEIR as JSON lines, in Dutch; two paragraphs a question."""

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("nl",)
BROKEN = ("qrels/train.jsonl", 6, "missing-document")

_PAGES = {
    "2101": ("Vuurtoren van Hoek", "De vuurtoren van Hoek werd in 1893 gebouwd naar een ontwerp van Anna Smit."),
    "2102": ("Anna Smit", "Anna Smit (1850-1921) was een bouwmeester uit Delft."),
    "2103": ("Zoutpad", "Het Zoutpad is een oude weg waarover zout met muilezels werd vervoerd."),
    "2104": ("Muilezel", "Een muilezel is het jong van een ezelin en een hengst."),
    "2105": ("Stenen brug", "De stenen brug heeft vijf bogen en werd na de overstroming van 1953 hersteld."),
    "2106": ("Overstroming van 1953", "De overstroming van 1953 trof Zeeland in de nacht van 31 januari."),
    "2107": ("Appel", "Een appel is een vrucht."),
}  # fmt: skip
_QUESTIONS = {
    "5a01": ("Uit welke stad kwam de bouwmeester van de vuurtoren van Hoek?", ["2101", "2102"]),
    "5a02": ("Van welke dieren stamt het dier af dat op het Zoutpad zout droeg?", ["2103", "2104"]),
    "5a03": ("In welke provincie was de overstroming waarna de stenen brug werd hersteld?", ["2105", "2106"]),
    "5a04": ("Welke pagina is er niet?", ["9999"]),
    "5a05": ("Een vraag zonder oordeel", []),
}  # fmt: skip


def build(folder: Path) -> None:
    judged = [(key, page, 1) for key, (_, pages) in _QUESTIONS.items() for page in pages]
    texts = {key: text for key, (text, _) in _QUESTIONS.items()}
    beir.collection(folder / "clips/beir-nl-hotpotqa", texts, _PAGES, judged)
