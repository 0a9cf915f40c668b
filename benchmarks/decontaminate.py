"""Decontamination: build time of an index of a million evaluation texts, and lookup time per document, on one core.

The benchmark fails unless exactly the planted leaks are found, and unless a brute-force search over word n-grams agrees
for a sample of documents and evaluation texts. datatrove's n-gram filter is measured too, with a fiftieth of the texts
(its index is a Python dict) and with words split at spaces, which is cheaper than its own tokenizer.

    python -m benchmarks.decontaminate [--texts 1000000]
    python -m benchmarks.decontaminate --scripts work/sample    tokens per English word, from the sample's translations
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks._footprint import Footprint
from benchmarks._timing import compare
from curation.decontamination.index import IndexSettings
from curation.decontamination.matching import REASONS, match
from curation.decontamination.settings import DecontaminationSettings
from curation.decontamination.step.index import BuildIndex, load_index
from curation.decontamination.step.texts import TEXT_SCHEMA
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.tokens import tokenize

SETTINGS = DecontaminationSettings()
DOCUMENTS, WORDS = 20_000, 114
SAMPLED = (2_000, 50_000)
"""Documents and evaluation texts for the brute-force search."""
PEERS_SHARE = 50
VOCABULARY = 200_000
HAN = np.array([chr(point) for point in range(0x4E00, 0x4E00 + 3000)])


def texts(rng: np.random.Generator, count: int, low: int, high: int) -> list[str]:
    """Return texts of `low` to `high` words with a Zipf distribution of words; a tenth of them is in Chinese."""
    words = np.array([f"w{i:x}q" for i in range(VOCABULARY)], object)
    lengths = rng.integers(low, high, count)
    drawn = np.minimum(rng.zipf(1.15, lengths.sum()) - 1, VOCABULARY - 1)
    pieces = np.split(drawn, np.cumsum(lengths)[:-1])
    return [
        " ".join(words[piece]) if i % 10 else "".join(HAN[np.tile(piece, 2) % len(HAN)])
        for i, piece in enumerate(pieces)
    ]


def plant(rng: random.Random, documents: list[str], evaluated: list[str]) -> dict[int, tuple[str, str]]:
    """Put leaks into every twentieth document; return row → (reason, evaluation text)."""
    planted = {}
    for row in range(0, len(documents), 20):
        text = rng.choice(evaluated)
        while not 20 <= len(text.split()) <= 59:
            text = rng.choice(evaluated)
        words = text.split()
        kind = row // 20 % 4
        if kind == 0:
            documents[row] = text
        elif kind == 1:
            documents[row] = f"“{text.upper().replace(' ', '  ')}”."
        elif kind == 2:
            half = len(documents[row]) // 2
            documents[row] = f"{documents[row][:half]} {text} {documents[row][half:]}"
        else:
            documents[row] = " ".join([f"new{row}", *words[1:]])
        planted[row] = (("exact", "exact", "contained", "near")[kind], text)
    return planted


def index_of(evaluated: list[str], folder: Path) -> tuple[str, dict[str, int]]:
    """Build an index from texts on disk, as the step does."""
    store = Store(str(folder))
    n = len(evaluated)
    columns = [pa.repeat(pa.scalar(""), n), pa.repeat(pa.scalar("query"), n)]
    table = pa.table([*columns, pa.array(range(n)).cast(pa.string()), pa.array(evaluated)], schema=TEXT_SCHEMA)
    store.write_table("texts/all.texts.arrow", table.to_batches(max_chunksize=65_536), TEXT_SCHEMA)
    operation = BuildIndex(IndexSettings.of(SETTINGS))
    return "x", operation.run(Task("x", (), [("all", "all")]), store, Outputs(store, "index", "x"))


def brute_force(documents: list[str], evaluated: list[str]) -> set[tuple[int, str]]:
    """Return (row, evaluation text) of all pairs that share a run of words, or the whole evaluation text."""
    size, found = SETTINGS.run, set()
    grams: dict[tuple[str, ...], list[int]] = {}
    rows = [document.lower().replace("“", "").replace("”.", "").split() for document in documents]
    for row, words in enumerate(rows):
        for i in range(len(words) - SETTINGS.ngram + 1):
            grams.setdefault(tuple(words[i : i + SETTINGS.ngram]), []).append(row)
    for text in evaluated:
        words = text.split()
        whole = " ".join(words)
        for i in range(len(words) - SETTINGS.ngram + 1):
            for row in grams.get(tuple(words[i : i + SETTINGS.ngram]), ()):
                joined = f" {' '.join(rows[row])} "
                runs = (" ".join(words[j : j + size]) for j in range(max(0, i - size), i + 1) if j + size <= len(words))
                if f" {whole} " in joined or any(f" {run} " in joined for run in runs):
                    found.add((row, text))
    return found


def datatrove(documents: list[str], evaluated: list[str]) -> object:
    """Return datatrove's filter with its index in memory."""
    from datatrove.data import Document
    from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.hashing import HashConfig, create_hash_func
    from datatrove.utils.text import ngrams, simplify_text

    class Spaces:
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

    chosen = NGramsDecontFilter.__new__(NGramsDecontFilter)
    chosen.config = NGramsDecontConfig(n_grams=SETTINGS.run, hash_config=HashConfig(hash_fc="sha1"))
    chosen.tokenizer, chosen.stat_update = Spaces(), lambda *_: None
    chosen.hash_func = create_hash_func(chosen.config.hash_config)
    chosen._index_hashes = {
        chosen.hash_func(" ".join(gram)): "all"
        for text in evaluated
        for gram in ngrams(simplify_text(text, chosen.config.norm_config).split(), SETTINGS.run)
    }
    inputs = [Document(text, str(i)) for i, text in enumerate(documents)]
    return lambda: [chosen.filter(document) for document in inputs]


def scripts(store: Store) -> None:
    """Print the tokens of translations per word of the English text, for texts of at least eight words."""
    for code in ("de", "ru", "ar", "hi", "ko", "bo", "zh-hans", "zh-hant", "ja", "lo", "th", "km", "my", "shn"):
        paths = sorted(Path(store.root).glob(f"rows/mediawiki_messages/{code}/*.rows.arrow"))
        names = [str(path.relative_to(store.root)) for path in paths]
        rows = pa.concat_tables(store.read_table(name, ["query", "positive"]) for name in names)
        english, other = (np.diff(tokenize(rows[side]).offsets) for side in ("query", "positive"))
        long = english >= SETTINGS.ngram
        print(f"{code:8} {other[long].sum() / english[long].sum():5.2f}  of {long.sum():,} messages")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--scripts", type=Path, help="Only count tokens in the translations of a build's messages.")
    arguments = parser.parse_args()
    if arguments.scripts:
        scripts(Store(str(arguments.scripts)))
    else:
        measure(arguments.texts)


def measure(number: int) -> None:
    """Build an index of `number` texts, check its results, and time it."""
    rng, pick = np.random.default_rng(0), random.Random(1)
    evaluated, documents = texts(rng, number, 6, 60), texts(rng, DOCUMENTS, WORDS, WORDS + 1)
    planted = plant(pick, documents, evaluated)
    rows = pa.array(documents)
    with tempfile.TemporaryDirectory() as name, Footprint([Path(name)]) as footprint:
        start = time.perf_counter()
        path, counts = index_of(evaluated, Path(name))
        built = time.perf_counter() - start
        print(f"index: {counts['texts']:,} texts, {counts['ngrams']:,} n-grams, {built:.1f} s")
        store = Store(name)
        index, known = load_index(store, path), store.read_table(f"index/{path}.texts.arrow")
        parts = {part: getattr(index, part).nbytes / 1e6 for part in ("filter", "slots", "places", "text_tokens")}
        total = sum(getattr(index, part).nbytes for part in vars(index)) / 1e6
        print(f"in memory, shared: {total:,.0f} MB ({', '.join(f'{k} {v:,.0f}' for k, v in parts.items())})")
        match(rows.slice(0, 100), index, known, SETTINGS)
        found = match(rows, index, known, SETTINGS)
        check(found, known, documents, evaluated, planted)
        times = []
        for _ in range(5):
            start = time.process_time()
            match(rows, index, known, SETTINGS)
            times.append((time.process_time() - start) / DOCUMENTS * 1e6)
        median = sorted(times)[2]
        print(f"{median:.1f} µs a document of {WORDS} words (processor time; {min(times):.1f} to {max(times):.1f})")
        assert median <= 20
        few = documents[:500]
        peers = {
            "ours": (lambda: match(rows, index, known, SETTINGS), DOCUMENTS),
            "datatrove": (datatrove(few, evaluated[: number // PEERS_SHARE]), len(few)),
        }
        compare(
            f"documents a second, ours against {number:,} texts, datatrove against {number // PEERS_SHARE:,}", peers
        )
    print(f"peak of the whole run: {footprint.memory / 1e9:.1f} GB of memory, {footprint.disk / 1e9:.1f} GB of disk")


def check(found, known, documents, evaluated, planted) -> None:
    """Assert that exactly the planted leaks are found, with the right reason, and that brute force agrees.

    Brute force finds runs of words. Further results must be near matches or have the required share of n-grams.
    """
    names = pc.take(known["text"], pa.array(found.texts)).to_pylist()
    said = zip(found.reasons.tolist(), found.scores.tolist(), strict=True)
    hits = {
        (r, text): (REASONS[n], score) for r, text, (n, score) in zip(found.rows.tolist(), names, said, strict=True)
    }
    wrong = [(row, reason, text) for row, (reason, text) in planted.items() if hits.get((row, text), [""])[0] != reason]
    assert not wrong, wrong[:3]
    some, few = SAMPLED
    chosen = set(evaluated[:few])
    expected = brute_force(documents[:some], evaluated[:few])
    sampled = {(row, text) for row, text in hits if row < some and text in chosen}
    assert expected <= sampled, sorted(expected - sampled)[:3]
    others = {row for row, _ in hits} - set(planted)
    assert not others, sorted(others)[:3]
    more = {pair: hits[pair] for pair in sampled - expected}
    strange = [
        (pair, reason, score)
        for pair, (reason, score) in more.items()
        if reason != "near" and not (reason == "contained" and score >= SETTINGS.share)
    ]
    assert not strange, strange[:3]
    print(
        f"{len(planted):,} planted leaks found, each with its reason; no other document hit; brute force over "
        f"{some:,} × {few:,}: {len(expected)} pairs, all found, {len(more)} more near or by their share"
    )


if __name__ == "__main__":
    main()
