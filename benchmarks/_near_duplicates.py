"""Generates texts in twelve scripts and edited copies of them, with the exact Jaccard index of each pair."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.slow_folding import words

SHINGLE = 5
LENGTHS = {"short": 24, "medium": 114, "long": 900}
"""Length class → tokens of a text. Pairs of shorter texts have few possible Jaccard indices, none between 0.8 and 1."""
SPACED = {
    "eng-Latn": "etaoinshrdlucmwfgypbvk", "deu-Latn": "enisratdhulcgmobwfäüößk", "vie-Latn": "nhtgcimạàáuôđyvpốệrlê",
    "tur-Latn": "aeinrlıkdmyutsbşzgçğö", "rus-Cyrl": "оеаинтсрвлкмдпуяыьгзб", "ell-Grek": "αοιετσνηυρπκμλωςθδγχ",
    "ara-Arab": "اليمونرتبةعدسفهكقحجش", "heb-Hebr": "יוהלאתרבשמנעדקפחכגצ", "hin-Deva": "कानरसितलहमयेदपवबगजोंी्",
    "kor-Hang": "이다는을가의에한고하로사지도를기인어",
}  # fmt: skip
"""Language → letters of its generated words."""
UNSPACED = {
    "zho-Hans": "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生",
    "jpn-Jpan": "のにはをたがでてとしれさいるあこなもっかりくまえおきすけつそらせ日人年大学本中国会生",
    "tha-Thai": "านรอกเงมยลวดทสตะปบคหแจพชขใไโผ่้ิีัุู็",
}
"""Language → characters; each character is a token."""


@dataclass(frozen=True)
class Pair:
    """A text, an edited copy, and their exact Jaccard index."""

    language: str
    length: str
    left: str
    right: str
    jaccard: float


def shingles(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[i : i + SHINGLE]) for i in range(len(tokens) - SHINGLE + 1)}


def brute_force(left: str, right: str) -> float:
    """Return the Jaccard index of the sets of shingles of two texts."""
    one, other = shingles(left), shingles(right)
    return len(one & other) / len(one | other)


def writer(language: str, rng: random.Random) -> Iterator[str]:
    """Yield random tokens from a vocabulary of a few thousand words."""
    if language in UNSPACED:
        while True:
            yield rng.choice(UNSPACED[language])
    letters = SPACED[language]
    vocabulary = ["".join(rng.choices(letters, k=min(2 + int(rng.expovariate(0.3)), 14))) for _ in range(4000)]
    while True:
        word = vocabulary[int(4000 * rng.random() ** 2)]
        yield word.capitalize() if rng.random() < 0.1 else word


def edited(tokens: list[str], target: float, write: Iterator[str], rng: random.Random, space: str) -> list[str]:
    """Edit tokens until the Jaccard index is at most `target`; with target 1, change only case and white space."""
    result = list(tokens)
    if target == 1:
        return [token.upper() if len(token.upper()) == len(token) else token for token in result]
    before = shingles(space.join(tokens))
    while len(result) > SHINGLE:
        after = shingles(space.join(result))
        if len(before & after) <= target * len(before | after):
            break
        at, kind = rng.randrange(len(result)), rng.random()
        if kind < 0.5:
            result[at] = next(write)
        elif kind < 0.7:
            result.insert(at, next(write))
        elif kind < 0.9:
            del result[at]
        elif kind < 0.95:
            result = result[1:] if at % 2 else result[:-1]
        else:
            result = [*result[at:], *result[:at]]
    return result


def pairs(each: int, seed: int) -> list[Pair]:
    """Return `each` labeled pairs of every language and length class, with Jaccard indices spread from 0.5 to 1."""
    rng = random.Random(seed)
    made = []
    for language in SPACED | UNSPACED:
        write = writer(language, rng)
        space = " " if language in SPACED else ""
        for length, tokens in LENGTHS.items():
            for number in range(each):
                # one in ten is equal but for case and white space
                target = 1.0 if number % 10 == 0 else rng.uniform(0.5, 1)
                parts = [next(write) for _ in range(int(tokens * rng.uniform(0.7, 1.3)))]
                left = space.join(parts)
                right = space.join(edited(parts, target, write, rng, space))
                if target == 1 and space:
                    right = f"  {right.replace(' ', '  ', 3)}\n"
                made.append(Pair(language, length, left, right, brute_force(left, right)))
    return made
