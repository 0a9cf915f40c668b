"""Signatures against their definition, theory, datasketch and Python sets."""

import itertools
import random

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup import signatures
from curation.dedup.minhash import BLOCK, _permutations, bands, jaccard, shingle_sets, signatures_of, sketches
from curation.dedup.settings import DedupSettings
from open_ml_embed.core.text.tokens import Tokens, tokenize

SETTINGS = DedupSettings()
LARGE = DedupSettings(num_perm=256, bands=42)
LETTERS = "abcdefgh日本語のไทยابجדЖ\u0301é한"
tokens_of_one = st.lists(st.text(LETTERS, min_size=1, max_size=9), max_size=30)
sizes = [0, 1, 4, 5, 6, 12, 13, BLOCK - 1, BLOCK + 3, BLOCK + 4, BLOCK + 5, 3 * BLOCK + 9]


def words(text: str, k: int = 5) -> set[tuple[str, ...]]:
    parts = text.split()
    return {tuple(parts[i : i + k]) for i in range(len(parts) - k + 1)}


def true_jaccard(a: str, b: str) -> float:
    x, y = words(a), words(b)
    return len(x & y) / len(x | y) if x | y else 1.0


def make_text(rng: random.Random, length: int) -> str:
    return " ".join(f"word{rng.randrange(5000)}" for _ in range(length))


def near(rng: random.Random, text: str, changed: int) -> str:
    parts = text.split()
    for i in rng.sample(range(len(parts)), changed):
        parts[i] = f"other{rng.randrange(10**6)}"
    return " ".join(parts)


def edited_pairs(pairs: int, length: int, seed: int) -> tuple[list[str], list[str], np.ndarray]:
    """Return texts, copies with a stretch replaced, and their Jaccard indices, from 0 to 1."""
    rng = random.Random(seed)
    left = [make_text(rng, length) for _ in range(pairs)]
    right = []
    for text in left:
        first = rng.randrange(length)
        last = rng.randrange(first, length)
        parts = text.split()
        right.append(" ".join([*parts[:first], *make_text(rng, last - first).split(), *parts[last:]]))
    return left, right, np.array([true_jaccard(a, b) for a, b in zip(left, right, strict=True)])


def random_tokens(lengths: list[int]) -> Tokens:
    offsets = np.cumsum([0, *lengths])
    hashes = np.random.default_rng(1).integers(0, 2**64, offsets[-1], np.uint64)
    return Tokens(hashes, offsets, np.zeros(len(lengths), np.uint64))


@pytest.mark.parametrize("settings", [SETTINGS, LARGE, DedupSettings(shingle=1), DedupSettings(shingle=3, seed=7)])
def test_signature_is_the_minimum_of_each_permutation_of_the_shingles(settings):
    tokens = random_tokens(sizes)
    signed, enough = signatures_of(tokens, settings)
    hashes, offsets = shingle_sets(tokens, settings.shingle)
    multipliers, addends = (draw.astype(object) for draw in _permutations(settings.num_perm, settings.seed))
    assert enough.tolist() == [size >= settings.shingle for size in sizes]
    for row, size in enumerate(sizes):
        keys = (hashes[offsets[row] : offsets[row + 1]] >> np.uint64(32)).astype(object)
        expected = (np.outer(keys, multipliers) + addends) % 2**32
        assert signed[row].tolist() == (expected.min(0).tolist() if size >= settings.shingle else [0] * len(addends))


def test_a_seed_has_its_own_permutations_and_always_the_same():
    one, two = (_permutations(128, seed) for seed in (1, 2))
    assert all(multiplier % 2 for multiplier in one[0])
    assert not set(one[0]) & set(two[0])


def test_signatures_are_stored_and_must_not_change_unless_the_operation_says_so():
    signed, _ = signatures(["the quick brown fox jumps over the lazy dog"], SETTINGS)
    assert signed[0, :3].tolist() == [1913273714, 792376969, 525828617]


@pytest.mark.parametrize(("length", "settings"), [(12, SETTINGS), (60, SETTINGS), (60, LARGE), (400, LARGE)])
def test_estimator_is_as_good_as_theory(length, settings):
    left, right, truth = edited_pairs(1500, length, seed=2)
    signed, _ = signatures(left + right, settings)
    estimate = (signed[:1500] == signed[1500:]).mean(1)
    theory = np.sqrt((truth * (1 - truth) / settings.num_perm).mean())
    assert 0.9 * theory < np.sqrt(((estimate - truth) ** 2).mean()) < 1.1 * theory
    assert abs((estimate - truth).mean()) < 0.15 * theory


def test_estimator_agrees_with_datasketch():
    left, right, truth = edited_pairs(150, 60, seed=3)
    sketched = MinHash.bulk([[" ".join(s).encode() for s in words(text)] or [b""] for text in left + right])
    theirs = np.array([sketched[i].jaccard(sketched[150 + i]) for i in range(150)])
    signed, _ = signatures(left + right, SETTINGS)
    ours = (signed[:150] == signed[150:]).mean(1)
    theory = np.sqrt((2 * truth * (1 - truth) / SETTINGS.num_perm).mean())
    assert np.sqrt(((ours - theirs) ** 2).mean()) < 1.2 * theory


@given(tokens_of_one, st.integers(2, 5), st.integers(2, 5))
@settings(max_examples=200, deadline=None)
def test_equal_sets_of_shingles_have_equal_signatures(parts, once, again):
    """A text that runs in a circle has the same shingles however often it goes round, after the first time."""
    circle = parts + ["end"] * 5
    signed, _ = signatures([" ".join(circle * once), " ".join(circle * again)], SETTINGS)
    assert signed[0].tolist() == signed[1].tolist()


@given(tokens_of_one, st.sampled_from(["\n", "\u3000", " -, ", "\u202e ", "…"]))
@settings(max_examples=200, deadline=None)
def test_case_space_and_punctuation_do_not_matter_and_order_does(parts, separator):
    plain = " ".join(parts)
    shouted = "".join(c.upper() if c.upper().lower() == c else c for c in plain)
    signed, _ = signatures([plain, f" {separator.join(shouted.split(' '))}. "], SETTINGS)
    assert signed[0].tolist() == signed[1].tolist()
    turned, enough = signatures(["first " + "word " * 9 + "last", "last " + "word " * 9 + "first"], SETTINGS)
    assert enough.all()
    assert turned[0].tolist() != turned[1].tolist()


@given(st.lists(tokens_of_one.map(" ".join), min_size=1, max_size=8), st.data())
@settings(max_examples=150, deadline=None)
def test_signatures_do_not_depend_on_where_a_batch_is_cut(batch, data):
    whole, enough = signatures(batch, SETTINGS)
    cut = data.draw(st.integers(0, len(batch)))
    array = pa.array(["elsewhere", *batch], pa.string()).slice(1)
    parts = [signatures(part, SETTINGS) for part in (array[:cut], array[cut:])]
    assert np.concatenate([part[0] for part in parts]).tolist() == whole.tolist()
    assert np.concatenate([part[1] for part in parts]).tolist() == enough.tolist()
    chunked, _ = signatures(pa.chunked_array([array[:cut], array[cut:]]), SETTINGS)
    assert chunked.tolist() == whole.tolist()


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_bytes_that_are_no_text_are_signed_alike_wherever_they_stand(rows):
    def array(*rows: bytes) -> pa.Array:
        offsets = np.cumsum([0, *map(len, rows)]).astype(np.int32)
        return pa.Array.from_buffers(
            pa.string(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(rows))]
        )

    together, _ = signatures_of(tokenize(array(*rows)), SETTINGS)
    assert together.tolist() == [signatures_of(tokenize(array(row)), SETTINGS)[0][0].tolist() for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        "日本語のテストです",
        "สวัสดีครับ",
        "ב ר א ש י ת",
        "ق ك ل م ن و",
        "e\u0301 e\u0300 e\u0302 e\u0303 e\u0308",
        "𠀀𠀁𠀂𠀃𠀄",
    ],
)
def test_every_script_is_signed(text):
    signed, enough = signatures([text, text + " x y z", "one two three four"], SETTINGS)
    assert enough.tolist() == [True, True, False]
    assert 0 < (signed[0] == signed[1]).sum() < SETTINGS.num_perm


def test_jaccard_equals_brute_force():
    rng = random.Random(1)
    left = [make_text(rng, rng.randrange(6, 60)) for _ in range(200)]
    right = [near(rng, text, rng.randrange(0, 4)) for text in left]
    got = jaccard(tokenize(pa.array(left + right)), np.arange(200), np.arange(200, 400), 5)
    assert got.tolist() == [true_jaccard(a, b) for a, b in zip(left, right, strict=True)]


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=12), min_size=2, max_size=6), st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_shingle_sets_and_jaccard_are_those_of_python_sets(rows, shingle):
    tokens = tokenize(pa.array([" ".join(row) for row in rows]))
    hashes, offsets = shingle_sets(tokens, shingle)
    sets = [words(" ".join(row), shingle) for row in rows]
    assert np.diff(offsets).tolist() == list(map(len, sets))
    for i in range(len(rows)):
        own = hashes[offsets[i] : offsets[i + 1]]
        assert (own[1:] > own[:-1]).all()
    left, right = np.array(list(itertools.product(range(len(rows)), repeat=2))).T
    expected = [len(a & b) / len(a | b) if a | b else 1.0 for a, b in itertools.product(sets, repeat=2)]
    assert jaccard(tokens, left, right, shingle).tolist() == expected


def test_bands_are_equal_exactly_where_signature_rows_are_and_never_zero():
    signed = np.random.default_rng(1).integers(0, 2**32, (300, 128), np.uint32)
    signed[1] = signed[0]
    signed[1, 7] ^= 1
    signed[2] = 0
    hashed = bands(signed, SETTINGS)
    assert hashed.shape == (21, 300)
    assert hashed.dtype == np.uint32
    assert hashed.all()
    assert (hashed[:, 0] != hashed[:, 1]).nonzero()[0].tolist() == [7 // (128 // 21)]
    assert all(len(set(band.tolist())) == 299 + (number == 1) for number, band in enumerate(hashed))


@pytest.mark.parametrize("settings", [SETTINGS, LARGE])
def test_candidates_over_similarity_are_as_theory_says(settings):
    """1 - (1 - J^r)^b of the pairs meet in a band, and strangers do not."""
    left, right, truth = edited_pairs(3000, 50, seed=5)
    signed, _ = signatures(left + right, settings)
    hashed = bands(signed, settings)
    found = (hashed[:, :3000] == hashed[:, 3000:]).any(0)
    expected = 1 - (1 - truth ** (settings.num_perm // settings.bands)) ** settings.bands
    for low in (0.3, 0.5, 0.6, 0.7):
        here = (truth >= low) & (truth < low + 0.1)
        assert abs(found[here].mean() - expected[here].mean()) < 4 * np.sqrt(0.25 / here.sum())
    assert found[truth >= 0.8].mean() > 0.99
    assert not any((hashed[:, i] == hashed[:, j]).any() for i, j in itertools.combinations(range(60), 2))


@pytest.mark.parametrize("settings", [SETTINGS, LARGE])
@pytest.mark.parametrize("length", [9, 60])
def test_bits_of_sketches_agree_as_theory_says(settings, length):
    """Texts of five shingles too: minima of few shingles must not share bits because permutations resemble."""
    left, right, truth = edited_pairs(2000, length, seed=6)
    signed, _ = signatures(left + right, settings)
    sketched = sketches(signed)
    assert sketched.shape == (4000, settings.num_perm // 64)
    agree = np.bitwise_count(~(sketched[:2000] ^ sketched[2000:])).sum(1) / settings.num_perm
    expected = (1 + truth) / 2
    theory = np.sqrt((expected * (1 - expected) / settings.num_perm).mean())
    assert np.sqrt(((agree - expected) ** 2).mean()) < 1.1 * theory
    assert (sketched[:2000][truth == 1] == sketched[2000:][truth == 1]).all()


def test_each_bit_of_a_sketch_is_that_of_its_own_permutation():
    signed = np.random.default_rng(1).integers(0, 2**32, (2, 192), np.uint32)
    before = sketches(signed)
    changed = set()
    for p in range(192):
        for value in range(8):
            other = signed.copy()
            other[0, p] = value
            flipped = before ^ sketches(other)
            assert flipped[1].tolist() == [0, 0, 0]
            assert int(sum(int(word) << 64 * i for i, word in enumerate(flipped[0]))) in (0, 1 << p)
            changed |= {p} if flipped.any() else set()
    assert changed == set(range(192))


def test_a_row_of_millions_of_shingles_is_signed_like_its_set():
    text = "round and round the garden like a teddy bear "
    signed, _ = signatures([text * 2, text * 100_000, "a " * 10**6, "a a a a a"], SETTINGS)
    assert signed[0].tolist() == signed[1].tolist()
    assert signed[2].tolist() == signed[3].tolist()


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 42), (0.7, 32), (0.8, 21), (0.9, 14)])
def test_bands_follow_the_threshold_unless_they_are_stated(threshold, expected):
    chosen = DedupSettings(threshold=threshold)
    assert chosen.bands == expected
    assert (1 - threshold ** (chosen.num_perm // chosen.bands)) ** chosen.bands <= 0.005
    assert DedupSettings(threshold=threshold, bands=16).bands == 16
