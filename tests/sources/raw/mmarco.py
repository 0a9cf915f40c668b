"""`unicamp-dl/mmarco`: headerless TSV collections and queries by language, and one file of id triples for all.

One English passage in five has UTF-8 that was decoded as Latin-1.
"""

from pathlib import Path

SUBSETS = ("german", "msmarco")
BROKEN = ("triples.train.ids.small.tsv", 6, "missing-document")

_PASSAGES = {
    "english": ["Hops keep beer from spoiling and make it bitter.", "A median is the middle value of an ordered list.",
                "Granite forms when magma cools slowly underground.",
                "The Danube rises in the Black Forest – it’s two brooks.",
                'A "stitch" of 5\'2" was the old measure.', "Bees dance to tell each other where flowers are."],
    "german": ["Hopfen macht Bier haltbar und bitter.", "Der Median ist der mittlere Wert einer geordneten Liste.",
               "Granit entsteht, wenn Magma langsam in der Tiefe erkaltet.", "Die Donau entspringt im Schwarzwald.",
               'Ein "Stich" von 5\'2" war das alte Maß.', "Bienen tanzen, um einander Blüten zu zeigen."],
}  # fmt: skip
_QUERIES = {
    "english": ["why hops in beer", "what is a median", "how does granite form", "where does the danube rise"],
    "german": ["warum hopfen im bier", "was ist ein median", "wie entsteht granit", "wo entspringt die donau"],
}


def build(folder: Path) -> None:
    home = folder / "unicamp-dl/mmarco/data"
    for language, passages in _PASSAGES.items():
        for kind, texts in (("collections", passages), ("queries/train", _QUERIES[language])):
            suffix = "collection" if kind == "collections" else "queries.train"
            (home / "google" / kind).mkdir(parents=True, exist_ok=True)
            lines = [f"{copy * 100 + i}\t{text}{f' ({copy})' if copy else ''}\n"
                     for copy in range(5) for i, text in enumerate(texts)]  # fmt: skip
            lines = [line.encode().decode("latin-1") if "it’s" in line else line for line in lines]
            (home / "google" / kind / f"{language}_{suffix}.tsv").write_text("".join(lines), "utf-8")
    triples = []
    for copy in range(5):
        for query in range(4):
            for step in (1, 2):
                triples.append((copy * 100 + query, copy * 100 + query, copy * 100 + (query + step) % 6))
    triples[6] = (3, 3, 999_999)
    triples = triples[::2] + triples[1::2]
    triples[6], triples[3] = triples[3], triples[6]
    (home / "triples.train.ids.small.tsv").write_text("".join(f"{q}\t{p}\t{n}\n" for q, p, n in triples))
