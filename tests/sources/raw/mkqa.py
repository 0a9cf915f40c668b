"""`mteb/MKQARetrieval`: questions and short answers as Parquet folders, one set a locale; answers may be shared."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import retrieval

SUBSETS = ("da", "zh_tw", "no")
BROKEN = ("da-qrels/train-00000-of-00001.parquet", 5, "missing-query")

_TEXTS = {
    "da": [("hvad hedder hovedstaden i island", ["Reykjavik"]), ("hvem malede et selskab danske kunstnere i rom", ["Constantin Hansen"]),
           ("hvilke farver har det svenske flag", ["blå", "gul"]), ("hvor mange ben har en edderkop", ["8"]),
           ("hvor mange planeter er der i solsystemet", ["8"]), ("hvornår faldt berlinmuren", ["1989-11-09"]),
           ("er en hval en fisk", ["nej"]), ("hvilket grundstof har symbolet fe", ["jern"])],
    "zh_tw": [("冰島的首都是哪裡", ["雷克雅維克"]), ("蜘蛛有幾隻腳", ["8"]), ("太陽系有幾顆行星", ["8"]), ("誰發明了電話", ["亞歷山大·格拉漢姆·貝爾"])],
    "no": [("hva heter hovedstaden på island", ["Reykjavik"]), ("hvem skrev et dukkehjem", ["Henrik Ibsen"]), ("hvor mange bein har en edderkopp", ["8"])],
}  # fmt: skip


def build(folder: Path) -> None:
    for locale, entries in _TEXTS.items():
        answers = list(dict.fromkeys(text for _, texts in entries for text in texts))
        judged = [(f"Q{n}", f"C{answers.index(text)}", 1) for n, (_, texts) in enumerate(entries) for text in texts]
        if locale == "da":
            judged.insert(5, ("Q4711", "C0", 1))
        retrieval(
            folder / "mteb/MKQARetrieval",
            locale,
            queries={f"Q{n}": question for n, (question, _) in enumerate(entries)},
            corpus={f"C{n}": {"text": text, "title": ""} for n, text in enumerate(answers)},
            judged=judged,
            id_name="id",
        )
