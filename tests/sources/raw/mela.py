"""`Geralt-Targaryen/MELA`: CSV by language, quoted where a sentence has a comma; few languages can be trained on.

One sentence was judged twice, once each way.
"""

from pathlib import Path

SUBSETS = ("en", "de")
BROKEN = ("en/train.csv", 4, "too-many-values")

_FILES = {
    "en/train.csv": [
        "The baker whose oven broke borrowed ours.,1",
        '"Under the table, the cat slept.",1',
        "Cat the slept table under.,0",
        '"She asked ""who has the key?"" and left.",1',
        "Yesterday, they will have sang.,0",  # The quotes were forgotten.
        "Who did you wonder whether left?,0",
        "The children seem to be asleep.,1",
        "The children seems asleep to.,0",
        "Mary is more proud than John.,1",
        "Mary is more proud than John.,0",
    ],
    "en/dev.csv": ["I know which book he read.,1", "I know which book he read it.,0"],
    "en/test.csv": ["held out,1"],
    "de/dev.csv": [
        "Dem Nachbarn gefällt der Garten.,1",
        "Den Nachbarn gefällt der Garten es.,0",
        '"Ich glaube, dass er morgen kommt.",1',
        '"Ich glaube, dass kommt er morgen.",0',
        "Gestern hat sie lange gelesen.,1",
        "Gestern sie hat lange gelesen.,0",
        '"Weil es regnete, blieben wir zu Hause.",1',
        "Er hat gestern nach Köln gegangen.,0",
    ],
    "de/test.csv": ["held out,0"],
}


def build(folder: Path) -> None:
    for name, lines in _FILES.items():
        path = folder / "Geralt-Targaryen/MELA" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["sentence,label", *lines]) + "\n", "utf-8")
