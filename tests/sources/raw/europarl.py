"""`Helsinki-NLP/europarl`: Parquet with one struct a record, a folder a pair; one record in 384 is taken."""
# ruff: noqa: E501 - rows of data, in many scripts

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("all",)
BROKEN = ("de-en/train-00000-of-00002.parquet", 768, "empty-query")

_EVERY = 384
_PAIRS = {
    "de-en": [
        ("Die Aussprache über den Fischereifonds ist geschlossen.", "The debate on the fisheries fund is closed."),
        ("Ich danke der Berichterstatterin für ihre gründliche Arbeit.", "I thank the rapporteur for her thorough work."),
        ("", "(The sitting was suspended at 11.55 and resumed at noon)"),
        ("Der Haushalt für Schienenwege ist viel zu klein.", "The budget for railways is far too small."),
        ("Wir fordern den Rat auf, endlich zu handeln.", "We call on the Council to act at last."),
        ("(Beifall)", "(Beifall)"),
        ("Wie will die Kommission die Imker unterstützen?", "How does the Commission intend to support beekeepers?"),
        ("Die Häfen der Ostsee brauchen gemeinsame Regeln.", "The ports of the Baltic need common rules."),
        ("Das Protokoll der gestrigen Sitzung ist genehmigt.", "The Minutes of yesterday's sitting have been approved."),
    ],
    "el-sv": [
        ("Η πρόταση για τα δάση πρέπει να επιστραφεί στην επιτροπή.", "Förslaget om skogarna måste återförvisas till utskottet."),
        ("Ποιος θα πληρώσει για τον καθαρισμό των ακτών;", "Vem ska betala för att kusterna städas?"),
        ("Ψήφισα υπέρ της έκθεσης.", "Jag röstade för betänkandet."),
        ("Οι νέοι χρειάζονται δουλειές, όχι υποσχέσεις.", "De unga behöver arbete, inte löften."),
        ("Η ενέργεια είναι ακριβή στα νησιά.", "Energin är dyr på öarna."),
    ],
    "bg-lv": [
        ("Река Дунав свързва десет държави.", "Donava savieno desmit valstis."),
        ("Искам да попитам члена на Комисията за млякото.", "Es vēlos jautāt komisāram par pienu."),
        ("Гласуването ще се състои утре.", "Balsojums notiks rīt."),
        ("Малките училища в селата затварят.", "Mazās lauku skolas tiek slēgtas."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for pair, sentences in _PAIRS.items():
        first, second = pair.split("-")
        rows = []
        for number in range(len(sentences) * _EVERY):
            a, b = sentences[number // _EVERY]
            if number % _EVERY:
                a, b = f"{a} ({number})", f"{b} ({number})"
            rows.append({"translation": {first: a, second: b}})
        home = folder / "Helsinki-NLP/europarl" / pair
        shards = 2 if pair == "de-en" else 1
        cut = len(rows) if shards == 1 else 5 * _EVERY + 100
        for shard, some in enumerate((rows[:cut], rows[cut:])[:shards]):
            parquet(home / f"train-{shard:05d}-of-{shards:05d}.parquet", some)
