"""`openlanguagedata/oldi_seed`: JSON lines, a file a language and script, sentences with the same numbers."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("all",)
BROKEN = ("seed/fur_Latn.jsonl", 2, "empty-query")

_SENTENCES = {
    "eng_Latn": ["The lighthouse was built in 1844.", "Salt was carried on mules.", "The seal sleeps on the sand.", "Apples ripen in October."],
    "fur_Latn": ["Il fâr al è stât fat sù tal 1844.", "Il sâl al jere puartât cui mui.", "", "I miluçs a madressin in Otubar."],
    "lij_Latn": ["O fâ o l'é stæto fabricou do 1844.", "A sâ a l'ea portâ in sce di muli.", "A foca a dorme in sciâ sabbia.", "E pomme maduan in ottobre."],
    "nqo_Nkoo": ["ߦߋߟߋ߲߫ ߕߐ߰ߡߊ ߟߐ߬ ߘߊ߫ ߁߈߄߄.", "ߞߐ߬ߜߟߐ ߕߎ߲߬ ߦߋ߫ ߕߊ߬ ߟߊ߫ ߛߝߊ߬ߟߌ ߟߎ߬ ߞߊ߲߬.", "ߖߌ߬ ߞߎ߲ ߦߋ߫ ߛߎ߬ߣߐ߬ ߟߊ߫.", "ߔߐ߬ߡߎ߬ ߦߋ߫ ߡߐ߬ ߟߊ߫."],
}  # fmt: skip


def build(folder: Path) -> None:
    for variety, sentences in _SENTENCES.items():
        code, script = variety.split("_")
        rows = [
            {"id": number, "iso_639_3": code, "iso_15924": script, "text": text, "url": "https://en.wikipedia.example"}
            for number, text in enumerate(sentences, 1)
        ]
        jsonl(folder / "openlanguagedata/oldi_seed/seed" / f"{variety}.jsonl", rows)
