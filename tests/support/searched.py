"""For slow searches: made-up texts, vectors that depend on the text alone, and what counts as the same text."""

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

DIM = 48


def text(rng: random.Random, words: int, prefix: str = "w") -> str:
    return " ".join(f"{prefix}{rng.randrange(5000)}" for _ in range(words))


def folded(words: str) -> str:
    return " ".join(words.lower().split())


def vector(words: str) -> np.ndarray:
    """Return a vector that depends on the text alone; equal for texts that are the same when folded."""
    seed = int.from_bytes(hashlib.sha256(folded(words).encode()).digest()[:8], "little")
    values = np.random.default_rng(seed).normal(size=DIM)
    return (values / np.linalg.norm(values)).astype(np.float16)


def write_vectors(folder: Path, queries: Iterable[str], documents: Iterable[str]) -> None:
    """Write the vectors of texts as `vectors:FOLDER` takes them."""
    for side, given in (("queries", queries), ("documents", documents)):
        texts = sorted({form for one in given for form in (one, " ".join(one.split()))})
        (folder / side).mkdir(parents=True)
        np.save(folder / side / "all.npy", np.stack([vector(one) for one in texts]))
        ids = [xxhash.xxh3_128_hexdigest(one.encode()) for one in texts]
        (folder / side / "all.ids.txt").write_text("\n".join(ids) + "\n")


def alike(one: str, other: str) -> bool:
    """Tell whether two texts are equal when folded, or near-duplicates by their shingles of three words."""
    a, b = _shingles(one), _shingles(other)
    return folded(one) == folded(other) or len(a & b) / max(len(a | b), 1) >= 0.8


def _shingles(words: str) -> set[tuple[str, ...]]:
    parts = words.lower().split()
    return {tuple(parts[i : i + 3]) for i in range(len(parts) - 2)}


def tables(root: Path, kind: str, source: str) -> list[dict]:
    """Return the lines of a build's tables of one kind, of one source."""
    rows = []
    for path in sorted((root / "work/tiny" / kind / source).rglob(f"*.{kind}.arrow")):
        with pa.OSFile(str(path)) as file:
            rows += pa.ipc.open_file(file).read_all().to_pylist()
    return rows
