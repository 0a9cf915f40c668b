"""Made-up files in the released layout: every shape, both forms of queries, a file of three sources."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TABLE = """file\tfirst\tend\tsource\ttitle\tfamily\ttask\tsubsets\tquery_language\tpositive_language
squad\t\t\tsquad\tSQuAD\tretrieval\tquestion-answering\t\teng-Latn\teng-Latn
paq\t\t\tpaq\tPAQ\tretrieval\tquestion-answering\t\teng-Latn\teng-Latn
paq_part2\t\t\tpaq\tPAQ\tretrieval\tquestion-answering\t\teng-Latn\teng-Latn
xcodeeval_nl2code_C#\t\t\txcodeeval_nl2code\txCodeEval\tretrieval\ttext-to-code\tcsharp\teng-Latn\tc#-Code
europarl\t\t\teuroparl\tEuroparl\tclustering\tbitext-mining\t\t\t
imdb\t\t\timdb\tIMDb\tclassification\tsentiment\t\teng-Latn\teng-Latn
mela\t0\t12\tmela\tMELA\tclassification\tlinguistic-acceptability\t\t\teng-Latn
mela\t12\t30\tscala\tScaLA\tclassification\tlinguistic-acceptability\t\t\teng-Latn
mela\t30\t\tdala\tDaLA\tclassification\tlinguistic-acceptability\t\tdan-Latn\teng-Latn
absent_set\t\t\tgooaq\tGooAQ\tretrieval\tquestion-answering\t\teng-Latn\teng-Latn
"""
TOLD = {"squad": "Given a question, find its paragraph.", "imdb": "Given a review, say what its verdict is."}
"""File → the instruction that its queries carry; the others carry none."""
RANGES = {"mela": [(0, 12, "mela"), (12, 30, "scala"), (30, 40, "dala")]}
SOURCE = {"paq_part2": "paq", "xcodeeval_nl2code_C%23": "xcodeeval_nl2code", "own-set": "own_set"}


@dataclass
class Row:
    file: str
    number: int
    source: str
    query: str
    instruction: str | None
    passage: str
    negatives: list[str | None] = field(default_factory=list)

    @property
    def sample(self) -> tuple[str, str, str, tuple[str | None, ...]]:
        return (f"released_{self.source}", self.query, self.passage, tuple(self.negatives))


def text(rng: random.Random, words: int) -> str:
    return " ".join(f"{rng.choice('bdfgklmnprst')}{rng.choice('aeiou')}{rng.randrange(10**6)}" for _ in range(words))


ENGLISH = """
the of and to in is that it was for on are with as they be at this have from or had by not but what some we
can out other were all there when up use your how said each she which their time will way about many then them
write would like these her long make thing see him two has look more day could go come did number sound no
most people over know water than call first who may down side been now find any new work part take get place
made live where after back little only round man year came show every good give our under name very through
just form sentence great think say help low line
"""


def english(rng: random.Random, words: int) -> str:
    """Return words of English, of which an identifier says so."""
    known = ENGLISH.split()
    return " ".join(rng.choice(known) for _ in range(words))


def make(folder: Path, *, seed: int = 0) -> list[Row]:
    """Write the files and the table beside them; return the rows in order of file and row."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    (folder / "release.tsv").write_text(TABLE)
    rows: list[Row] = []
    for file, count, width in (
        ("squad", 30, 24), ("paq", 26, 24), ("paq_part2", 25, 24), ("xcodeeval_nl2code_C%23", 28, 24),
        ("europarl", 56, 24), ("imdb", 20, 1), ("mela", 40, 1), ("own-set", 30, 24),
    ):  # fmt: skip
        say = english if file == "own-set" else text
        passages = [say(rng, 25) for _ in range(count)]
        classes = ["good and right", "bad and wrong"]
        made = []
        for i in range(count):
            source = next((name for a, b, name in RANGES.get(file, []) if a <= i < b), SOURCE.get(file, file))
            if width == 1:
                passage, negatives = classes[i % 2], [classes[1 - i % 2]]
            else:
                others = [j for j in range(count) if j != i]
                passage, negatives = passages[i], [passages[j] for j in rng.sample(others, 24)]
            made.append(Row(file, i, source, say(rng, 12), TOLD.get(file), passage, list(negatives)))
        rows += made
        write(folder, file, made)
    return rows


def write(folder: Path, file: str, rows: list[Row]) -> None:
    columns = {
        "query": [f"Instruct: {r.instruction}\nQuery: {r.query}" if r.instruction else r.query for r in rows],
        "passage": [r.passage for r in rows],
    }
    columns |= {f"negative_{k + 1}": [r.negatives[k] for r in rows] for k in range(len(rows[0].negatives))}
    if file == "europarl":
        columns["lang"] = [("de", "fr")[r.number % 2] for r in rows]
    pq.write_table(
        pa.table({name: pa.array(v, pa.string()) for name, v in columns.items()}), folder / f"{file}.parquet"
    )
