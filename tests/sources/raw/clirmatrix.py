"""CLIRMatrix: gzipped JSON lines of a title and its results (text and number in one list), and gzipped TSV articles."""
# ruff: noqa: E501 - rows of data, in many scripts

import gzip
import json
from pathlib import Path

SUBSETS = ("af2en", "en2af", "yi2en", "en2yi")
BROKEN = ("BI-139/base/af/af.en.train.base.jl.gz", 3, "invalid-json")

_ARTICLES = {
    ("af", "en"): [
        ("Kokerboom", "Die kokerboom is 'n aalwyn wat in die droë noordweste van Suider-Afrika groei.",
         "Quiver tree", "The quiver tree is an aloe that grows in the dry north-west of southern Africa."),
        ("Tafelberg", "Tafelberg is 'n plat berg bo Kaapstad.", "Table Mountain", "Table Mountain is a flat-topped mountain above Cape Town."),
        ("Biltong", "Biltong is vleis wat met sout en koljander gedroog word.", "Biltong", "Biltong is meat dried with salt and coriander."),
        ("Duin", "'n Duin is 'n heuwel van sand wat die wind opgehoop het.", "Dune", "A dune is a hill of sand heaped up by the wind."),
        ("Volstruis", "Die volstruis is die grootste lewende voël.", "Ostrich", "The ostrich is the largest living bird."),
        ("Windpomp", "'n Windpomp bring grondwater met die krag van die wind op.", "Windpump", "A windpump raises groundwater by the power of the wind."),
    ],
    ("yi", "en"): [
        ("קלעזמער", "קלעזמער איז די מוזיק וואָס מען שפּילט אויף ייִדישע חתונות.", "Klezmer", "Klezmer is the music played at Jewish weddings in eastern Europe."),
        ("בוך", "אַ בוך באַשטייט פֿון בלעטער וואָס זענען צוזאַמענגענייט.", "Book", "A book is made of leaves that are sewn together."),
        ("שניי", "שניי איז געפֿרוירן וואַסער וואָס פֿאַלט פֿון די וואָלקנס.", "Snow", "Snow is frozen water that falls from the clouds."),
        ("ברויט", "ברויט באַקט מען פֿון מעל און וואַסער.", "Bread", "Bread is baked of flour and water."),
        ("טיש", "אַ טיש איז אַ מעבל מיט אַ פּלאַטע און פֿיס.", "Table (furniture)", "A table is a piece of furniture with a top and legs."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "clirmatrix"
    english = []
    for offset, ((other, _), articles) in enumerate(_ARTICLES.items()):
        first = 1000 * (offset + 1)
        theirs = [(str(first + n), title, text) for n, (title, text, _, _) in enumerate(articles)]
        ours = [(str(first + n), title, text) for n, (_, _, title, text) in enumerate(articles)]
        english += ours
        _write(home / f"BI-139/base/{other}/{other}.en.train.base.jl.gz", _judged(theirs, ours, cut=other == "af"))
        _write(home / f"BI-139/base/en/en.{other}.train.base.jl.gz", _judged(ours, theirs))
        _write(home / f"DOCS/{other}.tsv.gz", "".join(f"{key}\t{text}\n" for key, _, text in theirs))
    _write(home / "DOCS/en.tsv.gz", "".join(f"{key}\t{text}\n" for key, _, text in english))


def _judged(titles: list[tuple[str, str, str]], articles: list[tuple[str, str, str]], *, cut: bool = False) -> str:
    """Judge the article about the same thing best, the next ones 4, 2, 1 and 0; one title has no best but a good one,
    one has none, one is gone.
    """
    lines = []
    for place, (key, title, _) in enumerate(titles):
        results = [[articles[(place + step) % len(articles)][0], score] for step, score in enumerate((6, 4, 2, 1, 0))]
        if place in (4, 5):
            results[0][1] = 5 if place == 4 else 4
        if place == 1:
            results.append(["99999", 1])  # an article that was deleted before the texts were taken
        lines.append(json.dumps({"src_id": key, "src_query": title, "tgt_results": results}, ensure_ascii=False))
    lines.insert(2, "")
    if cut:
        lines[3] = lines[3][:40]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
