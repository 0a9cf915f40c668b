"""MinHash beside other libraries: signatures per second on one core, estimator error, and recall against brute force.

    pip install --no-deps --target work/peers rensa daft text-dedup click-option-group
    .venv/bin/python -m benchmarks.dedup --peers work/peers

Every contestant gets the same Python strings, makes shingles of five words, and computes signatures in the fastest way
that its interface offers: datasketch with `bulk`, which draws the permutations once; rensa a matrix at a time; Daft a
column at a time, outside its planner; datatrove without its tokenizer; text-dedup with xxh3. Libraries that are not
installed are left out and listed at the end. The process is pinned to one core before any library can start threads,
and CPU time is measured. The benchmark fails if ours is not faster by the factors in `AT_LEAST`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

os.environ |= dict.fromkeys(["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS", "DAFT_NUM_THREADS"], "1")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import random

import numpy as np
import pyarrow as pa
import xxhash

from benchmarks._near_duplicates import SHINGLE, Pair, brute_force, pairs
from benchmarks._timing import compare
from curation.dedup import cluster, signatures
from curation.dedup.minhash import bands
from curation.dedup.settings import DedupSettings

WORDS = 114
SETTINGS = (DedupSettings(), DedupSettings(num_perm=256, bands=42))
AT_LEAST = {"datasketch": 50, "rensa": 5, "Daft": 2}
"""Library → factor by which ours must be faster, in signatures per second with 128 permutations."""
INSTALL = "pip install --no-deps --target {} rensa daft text-dedup click-option-group"
"""Installs the other libraries; the environment already has datasketch and datatrove."""


@dataclass(frozen=True)
class Contestant:
    """A library. `sign` is timed on texts; `values` converts its result to an array[n, permutations]."""

    name: str
    sign: Callable[[list[str]], Any]
    values: Callable[[Any], np.ndarray]
    timed: int
    """Number of texts to time."""


def documents(count: int, seed: int = 0) -> list[str]:
    """Return documents of lower-case ASCII words, which all contestants tokenize in the same way."""
    rng = random.Random(seed)
    letters = "etaoinshrdlucmwfgypbvkjxqz"
    vocabulary = ["".join(rng.choices(letters, k=min(1 + int(rng.expovariate(0.25)), 14))) for _ in range(20_000)]
    return [" ".join(rng.choices(vocabulary, k=WORDS)) for _ in range(count)]


def shingled(texts: list[str]) -> list[list[str]]:
    """Return the shingles of every text, by the fastest way in pure Python."""
    assert SHINGLE == 5
    return [list(map(" ".join, zip(w, w[1:], w[2:], w[3:], w[4:], strict=False))) for w in map(str.split, texts)]


def ours(settings: DedupSettings) -> Contestant:
    def sign(texts: list[str]) -> np.ndarray:
        signed, _ = signatures(pa.array(texts), settings)
        bands(signed, settings)
        return signed

    return Contestant("ours", sign, lambda signed: signed, 20_000)


def datasketch(permutations: int) -> Contestant:
    from datasketch import MinHash

    def sign(texts: list[str]) -> list[MinHash]:
        return MinHash.bulk([[s.encode() for s in each] for each in shingled(texts)], num_perm=permutations)

    return Contestant("datasketch", sign, lambda made: np.stack([m.hashvalues for m in made]), 1000)


def rensa(permutations: int) -> Contestant:
    from rensa import RMinHash

    def sign(texts: list[str]) -> Any:
        return RMinHash.digest_matrix_from_token_sets(shingled(texts), permutations, 1)

    return Contestant("rensa", sign, lambda matrix: np.array(matrix.to_rows()), 5000)


def daft(permutations: int) -> Contestant:
    from daft import Series

    def sign(texts: list[str]) -> Any:
        return Series.from_arrow(pa.array(texts)).minhash(permutations, SHINGLE)

    return Contestant("Daft", sign, lambda made: np.array(made.to_pylist()), 5000)


def datatrove(permutations: int) -> Contestant:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Split(WordTokenizer):
        """Tokenizer with the result of its spaCy and NLTK tokenizers on these texts, without their cost."""

        word_tokenize = staticmethod(str.split)
        sent_tokenize = span_tokenize = None

    config = MinhashConfig(n_grams=SHINGLE, num_buckets=permutations // 8, hashes_per_bucket=8)
    step = MinhashDedupSignature("/dev/null", config, Split())
    step._hash_func = lambda shingle: xxhash.xxh64_intdigest(shingle.encode())  # its own, but xxhash 4 refuses strings

    def sign(texts: list[str]) -> list[list[list[int]]]:
        return [step.get_signature(step.get_shingles(text)) for text in texts]

    return Contestant("datatrove", sign, lambda made: np.array(made, np.uint64).reshape(len(made), -1), 300)


def text_dedup(permutations: int) -> Contestant:
    from text_dedup.minhash import embed_func
    from text_dedup.utils import xxh3_32hash

    rng, prime = np.random.RandomState(42), np.uint64((1 << 61) - 1)
    draw = tuple(rng.randint(low, prime, permutations, np.uint64) for low in (1, 0))
    cuts = [(i, i + 8) for i in range(0, permutations, 8)]

    def sign(texts: list[str]) -> list[dict[str, Any]]:
        return [
            embed_func(
                text,
                i,
                num_perm=permutations,
                ngram_size=SHINGLE,
                min_length=SHINGLE,
                hashranges=cuts,
                permutations=draw,
                hash_func=xxh3_32hash,
                dtype=np.uint64,
                max_hash=np.uint32((1 << 32) - 1),
                modulo_prime=prime,
            )
            for i, text in enumerate(texts)
        ]

    def values(made: list[dict[str, Any]]) -> np.ndarray:
        return np.array([np.frombuffer(b"".join(each["__signatures__"]), ">u8") for each in made])

    return Contestant("text-dedup", sign, values, 500)


def contestants(settings: DedupSettings) -> tuple[list[Contestant], dict[str, str]]:
    """Return the installed contestants, ours first, and name → reason of those that are left out."""
    found, left_out = [ours(settings)], {}
    for peer in (datasketch, rensa, daft, datatrove, text_dedup):
        try:
            found.append(peer(settings.num_perm))
        except ImportError as error:
            left_out[peer.__name__.replace("_", "-")] = str(error)
    return found, left_out


def assert_faster(rates: dict[str, float]) -> None:
    """Assert the factors of `AT_LEAST` for the contestants that ran."""
    ratios = {name: rates["ours"] / rates[name] for name in AT_LEAST if name in rates}
    slow = {name: f"{ratio:.1f} ×, not {AT_LEAST[name]} ×" for name, ratio in ratios.items() if ratio < AT_LEAST[name]}
    assert not slow, slow
    print("  as fast as asked: at least " + ", ".join(f"{AT_LEAST[name]} × {name}" for name in ratios))


def cut(documents: list[str], rng: random.Random) -> list[str]:
    """Return documents with a part replaced, for Jaccard indices from 0 to 1."""
    other = [f"other{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(17_000)]
    result = []
    for text in documents:
        words = text.split()
        first = rng.randrange(len(words) - 20)
        last = rng.randrange(first, len(words))
        result.append(" ".join([*words[:first], *rng.choices(other, k=last - first), *words[last:]]))
    return result


def errors(rivals: list[Contestant], settings: DedupSettings) -> None:
    """Print the root mean square error of every contestant beside the theoretical one, and assert ours."""
    left = documents(1500, seed=1)
    right = cut(left, random.Random(2))
    truth = np.array([brute_force(a, b) for a, b in zip(left, right, strict=True)])
    theory = np.sqrt((truth * (1 - truth) / settings.num_perm).mean())
    print(f"\nestimator, {settings.num_perm} permutations: theory {theory:.4f}")
    for rival in rivals:
        signed, copied = (rival.values(rival.sign(texts)) for texts in (left, right))
        error = (signed == copied).mean(1) - truth
        rmse = np.sqrt((error**2).mean())
        print(f"  {rival.name:12} RMSE {rmse:.4f}, {rmse / theory:.3f} of theory, bias {error.mean():+.4f}")
        assert rival.name != "ours" or rmse < 1.1 * theory


def found(settings: DedupSettings) -> None:
    """Print the share of labeled pairs found, by similarity and by kind; assert recall and precision."""
    made = pairs(60, seed=3)
    rng = random.Random(4)
    texts = [text for pair in made for text in (pair.left, pair.right)]
    order = rng.sample(range(len(texts)), len(texts))
    clusters = np.array(cluster([texts[i] for i in order], settings)["cluster"])
    kept = np.empty(len(texts), int)
    kept[order] = np.array(order)[clusters]
    together = kept[0::2] == kept[1::2]
    signed, enough = signatures(texts, settings)
    assert enough.all()
    hashed = bands(signed, settings)
    candidate = (hashed[:, 0::2] == hashed[:, 1::2]).any(0)
    truth = np.array([pair.jaccard for pair in made])
    rows = settings.num_perm // settings.bands
    print(f"\n{len(made)} labeled pairs, {settings.bands} bands of {rows} rows, threshold {settings.threshold}")
    print(f"  {'Jaccard':12} {'pairs':>6} {'candidates':>11} {'theory':>8} {'found':>8}")
    edges = [0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.01]
    for low, high in pairwise(edges):
        here = (truth >= low) & (truth < high)
        expected = 1 - (1 - truth[here] ** rows) ** settings.bands
        line = f"{here.sum():6} {candidate[here].mean():11.4f} {expected.mean():8.4f} {together[here].mean():8.4f}"
        print(f"  {low:.2f} – {min(high, 1):.2f}  {line}")
    _by_kind(made, truth >= settings.threshold, together)
    joined = np.flatnonzero(kept != np.arange(len(texts)))
    right = [brute_force(texts[i], texts[kept[i]]) >= settings.threshold for i in joined]
    recall = together[truth >= settings.threshold].mean()
    print(f"  recall from the threshold on {recall:.4f}, precision of {len(right)} found pairs {np.mean(right):.4f}")
    assert recall >= 0.99
    assert all(right)


def _by_kind(made: list[Pair], near: np.ndarray, together: np.ndarray) -> None:
    kinds: dict[str, list[bool]] = defaultdict(list)
    for pair, is_near, is_found in zip(made, near, together, strict=True):
        if is_near:
            kinds[pair.language].append(is_found)
            kinds[pair.length].append(is_found)
    print("  recall from the threshold on: " + ", ".join(f"{k} {np.mean(v):.3f}" for k, v in kinds.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="work/peers", help="where those that are not in the environment are")
    folder = parser.parse_args().peers
    sys.path.append(folder)
    for settings in SETTINGS:
        rivals, left_out = contestants(settings)
        errors(rivals, settings)
        rates = compare(
            f"\n{settings.num_perm} permutations, documents of {WORDS} words, a second of one core",
            {rival.name: (partial(rival.sign, documents(rival.timed)), rival.timed) for rival in rivals},
            rounds=5,
            clock=time.process_time,
        )
        if settings.num_perm == 128:
            assert_faster(rates)
        found(settings)
    if left_out:
        print("\nLEFT OUT, nothing was compared with them: " + "; ".join(f"{n} ({why})" for n, why in left_out.items()))
        print("  " + INSTALL.format(folder))


if __name__ == "__main__":
    main()
