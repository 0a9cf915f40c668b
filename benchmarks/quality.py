"""Quality figures and masks of personal data: texts a second of CPU time on one core, beside datatrove's blocks.

Texts are random words of three scripts, with repeated passages, symbols and personal data planted. The figures have
to be those of a slow loop over characters, and the masks have to find every planted address and number and nothing
else; if not, the benchmark fails. datatrove's filter counts repeated lines, paragraphs and word n-grams, so the rates
compare what a text costs, and not the same work. Words are split at spaces for it, which is cheaper than its own
splitter (spaCy).

    python -m benchmarks.quality [--rows 20000]
"""

from __future__ import annotations

import argparse
import random
import time

import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.filters import GopherRepetitionFilter, gopher_repetition_filter
from datatrove.pipeline.formatters import PIIFormatter

from benchmarks._timing import compare
from curation.quality.measures import measure
from sources.masking import KINDS, MASKS, Masker

PEERS_SHARE = 20
"""datatrove gets every so manieth text."""
ALPHABETS = ("abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхц", "अआइईउऊकखगघचछजझटठडढतथदध")
PERSONAL = {"email": "jo.{}@uni-koeln.de", "ip": "8.8.{}.8", "phone": "+49 30 9018{:02}"}


def make(rng: random.Random, rows: int) -> tuple[list[str], list[str], int]:
    """Return queries, positives, and how many addresses and numbers are in them; a positive has some 800 characters."""
    vocabularies = [
        ["".join(rng.choices(alphabet, k=rng.randint(3, 9))) for _ in range(5000)] for alphabet in ALPHABETS
    ]
    queries, positives, planted = [], [], 0
    for row in range(rows):
        words = vocabularies[row % len(vocabularies)]
        queries.append(" ".join(rng.choices(words, k=10)) + "?")
        text = rng.choices(words, k=110)
        if row % 50 == 0:
            text = text[:10] * 11
        elif row % 50 == 1:
            text = ["***", "---", "!?"] * 60
        elif row % 50 == 2:
            kind = list(PERSONAL)[row // 50 % len(PERSONAL)]
            text[50] = PERSONAL[kind].format(row % 90 + 10)
            planted += 1
        positives.append(" ".join(text))
    return queries, positives, planted


def repeated(text: str) -> float:
    """Return the share of repeated sequences of ten characters, by a set."""
    grams = [text[i : i + 10] for i in range(len(text) - 9)]
    return 1 - len(set(grams)) / len(grams)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    queries, positives, planted = make(random.Random(0), rows)
    columns = pa.array(queries), pa.array(positives)

    table = measure(*columns)
    found = table["positive_repetition"].to_pylist()
    for row in range(0, rows, 7):
        assert abs(found[row] - repeated(positives[row])) < 1e-6, f"row {row}"
    masker = Masker(KINDS)
    masked = masker(columns[1]).to_pylist()
    assert masker.counts.total() == planted, f"{dict(masker.counts)} of {planted} planted ones"
    changed = [row for row in range(rows) if masked[row] != positives[row]]
    assert changed == [row for row in range(rows) if row % 50 == 2]
    assert all(any(mask in masked[row] for mask in MASKS.values()) for row in changed)
    print(f"{rows:,} rows of {sum(map(len, positives)) / rows:,.0f} characters; {planted} addresses and numbers found")

    gopher_repetition_filter.split_into_words = lambda text, _: text.split()
    gopher, formatter = GopherRepetitionFilter(), PIIFormatter()
    some = positives[::PEERS_SHARE]
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(some)]
    compare(
        "quality figures, texts a second of CPU time",
        {
            "ours": (lambda: measure(columns[1], columns[1]), 2 * rows),
            "datatrove": (lambda: [gopher.filter(document) for document in documents], len(documents)),
        },
        clock=time.process_time,
    )
    compare(
        "masks, texts a second of CPU time",
        {
            "ours, 3 kinds": (lambda: Masker(KINDS)(columns[1]), rows),
            "ours, no phones": (lambda: Masker(["email", "ip"])(columns[1]), rows),
            "datatrove": (lambda: [formatter.format(text) for text in some], len(some)),
        },
        clock=time.process_time,
    )


if __name__ == "__main__":
    main()
