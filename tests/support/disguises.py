"""A small corpus in which positives stand about in disguise: what a miner must not take for negatives is known."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np


@dataclass
class Disguised:
    """Queries, documents, and for each query every document that answers it, its positives among them."""

    queries: list[str]
    documents: list[str]
    positives: list[list[int]]
    answers: list[set[int]]


def disguised(topics: int, seed: int = 0) -> Disguised:
    """Make a corpus of `topics` subjects.

    Of each subject there is a passage, the same passage from another source (case and spaces differ), nearly the same
    passage (a word changed), and another answer. One query has the passage as its positive; its near-duplicate, the
    same words in capitals, has the other answer. A document repeats the first query word for word. Neighboring
    subjects share words, so that every query has honest hard negatives too.
    """
    rng = random.Random(seed)
    vocabulary = [f"w{i}" for i in range(4000)]
    made = Disguised([], [], [], [])
    for topic in range(topics):
        subject = f"subject{topic} group{topic // 8} area{topic // 40}"
        words = [*subject.split(), *rng.choices(vocabulary, k=60)]
        nearly = words.copy()
        nearly[40] = "changed"
        passage = " ".join(words)
        first = len(made.documents)
        made.documents += [
            passage,
            passage.upper().replace(" ", "  "),
            " ".join(nearly),
            f"{subject} another answer {' '.join(rng.choices(vocabulary, k=40))}",
            f"what is {subject}",
        ]
        made.queries += [f"what is {subject}", f"What is {subject}".upper()]
        made.positives += [[first], [first + 3]]
        made.answers += [set(range(first, first + 5))] * 2
    return made


def word_vectors(texts: list[str]) -> np.ndarray:
    """Embed by hashed words, those of the subject before all others: float32[n, 512], of length 1."""
    vectors = np.zeros((len(texts), 512), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            vectors[row, _hash(word)] += 0.25 if word[1:].isdigit() else 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _hash(word: str) -> int:
    return sum(ord(char) * 31**place for place, char in enumerate(word)) % 512
