"""`mteb/mrtidy`: queries, judgements and a sharded corpus with titles as Parquet folders, one set a language."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet, retrieval

SUBSETS = ("finnish", "telugu", "english")
BROKEN = ("finnish-qrels/train-00000-of-00001.parquet", 3, "missing-document")

_TEXTS = {
    "finnish": [("Mistä revontulet syntyvät?", "Revontulet", "Revontulet syntyvät, kun aurinkotuulen hiukkaset törmäävät ilmakehään."),
                ("Kuinka pitkä on Kemijoki?", "Kemijoki", "Kemijoki on noin 550 kilometriä pitkä ja Suomen pisin joki."),
                ("Kuka suunnitteli Finlandia-talon?", "Finlandia-talo", "Finlandia-talon piirsi arkkitehti Alvar Aalto."),
                ("Milloin Turun linnaa alettiin rakentaa?", "Turun linna", "Linnan rakentaminen alkoi 1200-luvun lopulla."),
                ("Mitä kalakukossa on?", "Kalakukko", "Kalakukon sisään leivotaan muikkuja ja läskiä.")],
    "telugu": [("గోదావరి నది ఎక్కడ పుడుతుంది?", "గోదావరి", "గోదావరి నది మహారాష్ట్రలోని నాసిక్ వద్ద పుడుతుంది."),
               ("చార్మినార్ ఏ నగరంలో ఉంది?", "చార్మినార్", "చార్మినార్ హైదరాబాదు నగరంలో ఉంది."),
               ("కూచిపూడి అంటే ఏమిటి?", "కూచిపూడి", "కూచిపూడి ఆంధ్రదేశపు శాస్త్రీయ నృత్యం.")],
    "english": [("What is a fell in northern England?", "Fell", "A fell is a high and barren hill or moor."),
                ("Which metal is liquid at room temperature?", "Mercury (element)", "Mercury is the only metal that is liquid in an ordinary room."),
                ("Who wrote down the rules of real tennis?", "Real tennis", "Printed rules go back to Forbet in 1599.")],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "mteb/mrtidy"
    for language, entries in _TEXTS.items():
        corpus = {}
        for page, (_, title, text) in enumerate(entries):
            corpus[f"{page + 7}#0"] = {"title": title, "text": text}
            corpus[f"{page + 7}#4"] = {"title": title, "text": f"({page})"}
        judged = [(str(number), f"{number + 7}#0", 1) for number in range(len(entries))]
        judged.insert(1, ("0", "7#4", 1))  # a second relevant passage of the same question
        judged.insert(3, ("1", "99#0", 1))
        queries = {str(number): question for number, (question, *_) in enumerate(entries)}
        retrieval(home, language, queries=queries, corpus=corpus, judged=judged, shards=3)
        parquet(
            home / f"{language}-qrels/test-00000-of-00001.parquet", [{"query-id": "0", "corpus-id": "8#0", "score": 1}]
        )
