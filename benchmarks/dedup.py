"""MinHash signatures from raw text, one core, shingling included: ours beside datasketch, estimator error asserted."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
from _timing import compare
from datasketch import MinHash

from curation.dedup.minhash import bands, jaccard, signatures_of
from curation.settings import DedupSettings
from curation.text.tokens import tokenise

SETTINGS = DedupSettings()
WORDS = 114


def documents(count: int) -> list[str]:
    """Return random documents of the length usual in such benchmarks."""
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(20_000)]
    return [" ".join(rng.choices(vocabulary, k=WORDS)) for _ in range(count)]


def ours(texts: list[str]) -> None:
    signed, _ = signatures_of(tokenise(pa.array(texts)), SETTINGS)
    bands(signed, SETTINGS)


def datasketch(texts: list[str]) -> None:
    for text in texts:
        words = text.split()
        sketch = MinHash(SETTINGS.permutations)
        sketch.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])


def check() -> None:
    """Assert that the estimator errs no more than theory says."""
    rng = random.Random(1)
    left = documents(2000)
    right = [" ".join(t.split()[: rng.randrange(20, WORDS)]) for t in left]
    n = len(left)
    tokens = tokenise(pa.array(left + right))
    truth = jaccard(tokens, np.arange(n), np.arange(n, 2 * n), SETTINGS.shingle)
    signed, _ = signatures_of(tokens, SETTINGS)
    error = np.sqrt((((signed[:n] == signed[n:]).mean(1) - truth) ** 2).mean())
    theory = np.sqrt((truth * (1 - truth) / SETTINGS.permutations).mean())
    print(f"estimator RMSE {error:.4f}, theory {theory:.4f}")
    assert error < 1.1 * theory


if __name__ == "__main__":
    check()
    texts = documents(20_000)
    ours(texts[:10])
    compare(
        f"MinHash, {SETTINGS.permutations} permutations, {WORDS}-word documents",
        {"ours": (lambda: ours(texts), len(texts)), "datasketch": (lambda: datasketch(texts[:1000]), 1000)},
    )
