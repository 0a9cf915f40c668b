"""Matching: every hit is justified by brute force, and what must be found is found, in all scripts."""

import itertools
import random
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.decontamination.api import overlaps
from curation.decontamination.index import IndexSettings, build_index, unique_texts
from curation.decontamination.kernels import EFFORT
from curation.decontamination.matching import REASONS, match
from curation.decontamination.settings import DecontaminationSettings
from curation.decontamination.word_units import tokens_per_word
from open_ml_embed.core.text.tokens import tokenize

SETTINGS = DecontaminationSettings()
WORDS = [
    f"{a}{b}" for a in ("riv", "stor", "cloud", "lan", "win", "cop", "gard", "sig") for b in ("er", "ing", "o", "é")
]
HAN = "冰島的首都是哪裡蜘蛛有幾隻腳太陽系顆行星誰發明了電話渡輪早上六點出發決賽以球勝負"
THAI = "เรือข้ามฟากออกเดินทางตอนหกโมงเช้าและกลับมาในเวลาค่ำของทุกวัน"
PAGE = (
    "In the north the ferries leave at six, whatever the weather says, and nobody waits for them. "
    "The keeper of the second lighthouse wrote down every ship that he had seen between the "
    "two storms of that winter. "
    "His daughter, who could read the clouds better than he, kept a book of her own."
)


def indexed(evaluated, chosen=SETTINGS):
    """Index texts, each its own owner in one set."""
    n = len(evaluated)
    columns = {"subset": ["x"] * n, "role": ["query"] * n, "text_id": [str(i) for i in range(n)], "text": evaluated}
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    texts, owners, ids = unique_texts([table])
    return build_index(texts["text"], owners, IndexSettings.of(chosen)), texts, ids


def hits(rows, evaluated, chosen=SETTINGS):
    """Return {(row, evaluation text): (reason, score)}."""
    index, texts, _ = indexed(evaluated, chosen)
    found = match(pa.array(rows, pa.string()), index, texts, chosen)
    names = texts["text"].to_pylist()
    pairs = zip(found.rows.tolist(), found.texts.tolist(), found.reasons.tolist(), found.scores.tolist(), strict=True)
    return {(row, names[text]): (REASONS[reason], pytest.approx(score, abs=1e-4)) for row, text, reason, score in pairs}


# --- the oracle: strings, sets and loops


TOKEN = re.compile("([\u0e00-\u0e7f])|([\u3040-\u9fff])|([^\\W_\u0e00-\u0e7f\u3040-\u9fff]+)")


def words_and_weights(text):
    """Tokens with their length in words: letters of Thai, characters of Chinese, words of everything else."""
    return [(match[0], (0.2, 0.5, 1.0)[match.lastindex - 1]) for match in TOKEN.finditer(text.lower())]


def shingles(tokens, size=5):
    return {tuple(t for t, _ in tokens[i : i + size]) for i in range(len(tokens) - size + 1)}


def jaccard(left, right):
    a, b = shingles(left), shingles(right)
    return len(a & b) / len(a | b) if a or b else 0.0


def common_runs(row, text):
    """All maximal common runs, as (start, end) in the text."""
    table, runs = {}, []
    for i, (a, _) in enumerate(row):
        for j, (b, _) in enumerate(text):
            if a == b:
                table[i, j] = table.get((i - 1, j - 1), 0) + 1
    for (i, j), length in table.items():
        if (i + 1, j + 1) not in table:
            runs.append((j - length + 1, j + 1))
    return runs


def normal(text):
    folded = " ".join(text.lower().split())
    return folded.strip(
        "".join(c for c in map(chr, range(0x3100)) if unicodedata.category(c) in ("Ps", "Pe", "Pi", "Pf"))
        + " .,;:!?…\"'¿¡。、？！"
    )


def judged(row, text):
    """(reason that holds, whether it has to be found) by brute force."""
    a, b = words_and_weights(row), words_and_weights(text)
    total = sum(w for _, w in b)
    if total < SETTINGS.shortest - 1e-9:
        return None, False
    if normal(row) == normal(text) and b:
        return "exact", True

    def weight(start, end):
        return sum(w for _, w in b[start:end])

    runs = [(s, e) for s, e in common_runs(a, b) if weight(s, e) >= SETTINGS.ngram - 1e-9]
    if not runs:
        return None, False
    longest = max(weight(s, e) for s, e in runs)
    covered = sum(b[i][1] for i in range(len(b)) if any(s <= i < e for s, e in runs))
    certain = longest >= SETTINGS.run - 1e-9 or (0, len(b)) in runs
    if jaccard(a, b) >= SETTINGS.threshold:
        return "near", certain
    if longest >= SETTINGS.run - 1e-9 or covered >= max(SETTINGS.share * total, min(SETTINGS.run, total)) - 1e-9:
        return "contained", certain
    return None, False


@st.composite
def corpora(draw):
    """Evaluation texts, and rows made of pieces of them, of other words, and of both."""
    rng = random.Random(draw(st.integers(0, 10**6)))

    def some(low, high):
        kind = rng.randrange(4)
        size = rng.randrange(low, high)
        if kind == 0:
            return "".join(rng.choices(HAN, k=2 * size))
        if kind == 1:
            return "".join(rng.choices([c for c in THAI if unicodedata.category(c)[0] == "L"], k=5 * size))
        return " ".join(rng.choices(WORDS, k=size))

    evaluated = [some(2, 24) for _ in range(rng.randrange(1, 5))]
    rows = []
    for _ in range(5):
        text = rng.choice(evaluated)
        cut = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        pieces = [some(1, 9), text[cut[0] : cut[1]] if rng.random() < 0.6 else text, some(1, 9)]
        rows.append(" ".join(rng.sample(pieces, rng.randrange(1, 4))))
    edited = [t.split(" ") for t in evaluated]
    for tokens in edited:
        tokens[rng.randrange(len(tokens))] = rng.choice(WORDS)
    return evaluated, rows + [" ".join(t) for t in edited] + [t.upper() + "!" for t in evaluated]


@settings(deadline=None, max_examples=60)
@given(corpora())
def test_hits_are_those_of_brute_force(corpus):
    evaluated, rows = corpus
    found = hits(rows, evaluated)
    kept = {text for _, text in found}
    for i, row in enumerate(rows):
        for text in evaluated:
            reason, certain = judged(row, text)
            if (i, text) in found:
                assert found[i, text][0] == reason, (row, text)
            elif certain and text in kept:
                raise AssertionError(f"missed {reason}: {row!r} has {text!r}")
            else:
                assert not certain or any(normal(text) == normal(other) for other in kept), (row, text)


def test_planted_leaks_are_told_apart():
    sentence = "The keeper of the second lighthouse wrote down every ship that he had seen between the two storms"
    question = "who wrote down every ship between the storms"
    evaluated = [sentence, question, "Yes", "1984"]
    rows = [
        sentence,
        f"  {sentence.upper()}.\n",
        "“Who wrote down every\tship between the storms?”",
        PAGE,
        sentence.replace("second", "third").replace("had seen", "saw") + " of that winter",
        sentence.replace("two storms", "three storms"),
        "Der Wärter des zweiten Leuchtturms schrieb jedes Schiff auf, das er zwischen den Stürmen gesehen hatte.",
        "The keeper of the second lighthouse slept.",
        "yes",
        "1984",
        "",
    ]
    found = hits(rows, evaluated)
    assert found == {
        (0, sentence): ("exact", 1.0),
        (1, sentence): ("exact", 1.0),
        (2, question): ("exact", 1.0),
        (3, sentence): ("contained", 1.0),
        (5, sentence): ("contained", 16 / 18),
    }


def test_one_sentence_of_a_longer_evaluation_text_is_found_in_a_longer_page():
    rng = random.Random(3)

    def noise(n):
        return " ".join(rng.choices(WORDS, k=n))

    sentence = "nobody had told the pilot that the harbour lights would be put out at midnight"
    text, page = f"{noise(90)} {sentence} {noise(70)}", f"{noise(4000)} {sentence} {noise(3000)}"
    ((where, (reason, score)),) = hits([noise(300), page], [text]).items()
    assert where == (1, text)
    assert (reason, score) == ("contained", 15 / 175)
    assert not hits([page.replace(" that the harbour", " the harbour")], [text])  # runs of 6 and of 8 words


def test_a_phrase_of_many_evaluation_texts_proves_nothing():
    phrase = "this package contains the files that are needed to develop programs with it"
    evaluated = [f"{phrase} {name} {name[::-1]} for {name}" for name in WORDS[:11]]
    row = f"{phrase} something else altogether"
    assert not hits([row], evaluated)
    assert len(hits([row], evaluated[:10])) == 10
    assert set(hits([evaluated[3]], evaluated)) == {(0, evaluated[3])}  # as a whole it is still the text


@pytest.mark.parametrize(
    ("row", "evaluated", "found"),
    [
        ("what is 3 + 5", "What is 3 - 5?", False),
        ("sorting a list in C", "Sorting a list in C#?", False),
        ("Who wrote Hamlet?", "who wrote hamlet", True),
        ("¿quién escribió Hamlet?", "Quién escribió Hamlet", True),
        ("一二三四五六。", "「一二三四五六」", True),
        ("who wrote hamlet", "who wrote hamlet first", False),
    ],
)
def test_short_texts_are_found_as_wholes_alone(row, evaluated, found):
    assert bool(hits([row], [evaluated])) is found


def test_lengths_are_in_words_whatever_the_script():
    rng = random.Random(5)
    han, thai = ("".join(rng.choices(letters, k=400)) for letters in (HAN, [c for c in THAI if c.isalpha()]))
    for text, per_word in ((han, 2), (thai, 5)):
        enough, too_few = text[100 : 100 + 13 * per_word], text[100 : 100 + 12 * per_word]
        assert [r for r, _ in hits([f"x{enough}x"], [text]).values()] == ["contained"]
        assert not hits([f"x{too_few}x"], [text])
        short = text[: 8 * per_word]
        assert hits([f"a b {short} c d"], [short])
        assert not hits([f"a b {short[:-1]} c d"], [short])


def test_units_follow_the_tokens():
    texts = pa.array(["wörld 你好 สวัส x1", None, "漢kana カ𠀀 ab", "e\u0301 z \U000e0100", "Ⅷ 10 ២៣"])
    tokens = tokenize(texts, with_kinds=True)
    per_word = tokens_per_word(tokens)
    cut = [per_word[a:b].tolist() for a, b in itertools.pairwise(tokens.offsets)]
    assert cut == [[1, 2, 2, 5, 5, 5, 5, 1], [], [2, 1, 2, 2, 1], [1, 1], [1, 1, 5, 5]]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(max_size=30), max_size=5))
def test_units_are_cut_as_tokens_are_in_any_text(texts):
    array = pa.array(texts, pa.string())
    tokens = tokenize(array, with_kinds=True)
    per_word = tokens_per_word(tokens)
    assert len(per_word) == len(tokens.hashes)
    assert set(per_word.tolist()) <= {1, 2, 5}


def test_results_do_not_depend_on_how_rows_are_cut():
    rng = random.Random(7)
    evaluated = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 40))) for _ in range(60)]
    rows = [rng.choice(evaluated) + " " + rng.choice(WORDS) * rng.randrange(3) for _ in range(300)] + [""] * 5
    index, texts, _ = indexed(evaluated)
    whole = match(pa.array(rows), index, texts, SETTINGS)
    cuts = [0, 1, 7, 7, 130, 305]
    chunks = pa.chunked_array([pa.array(rows[a:b], pa.string()) for a, b in itertools.pairwise(cuts)])
    parts = match(chunks, index, texts, SETTINGS)
    for field in ("rows", "texts", "reasons", "scores"):
        assert np.array_equal(getattr(whole, field), getattr(parts, field))
    sliced = match(pa.array(["x", *rows]).slice(1), index, texts, SETTINGS)
    assert np.array_equal(whole.rows, sliced.rows)


def test_texts_that_repeat_themselves_stay_linear():
    line = "a b c d e f g h i j k l m n o p"
    evaluated = [" ".join([line] * 40), " ".join(["la"] * 500), "x y z " * 100]
    rows = [" ".join([line] * 4000), "la " * 60_000, "x y z " * 30_000, "\ud7ff" * 50_000, "…" * 100_000]
    index, texts, _ = indexed(evaluated)
    found = match(pa.array(rows), index, texts, SETTINGS)
    by_row = dict(zip(found.rows.tolist(), found.texts.tolist(), strict=True))
    assert by_row[0] == 0
    assert by_row[2] == 2
    assert 1 not in by_row  # n-grams of one word say nothing, and the whole is another
    longest = max(len(row.split()) for row in rows)
    assert found.given_up < EFFORT * longest


def test_the_function_for_other_programs_names_rows_and_texts():
    evaluated = ["Who wrote Hamlet?", "who wrote hamlet", "no", "A line that stands for nothing else at all"]
    rows = ["?", "who WROTE hamlet", "Here is a line that stands for nothing else at all, they said."]
    assert overlaps(rows, evaluated).to_pylist() == [
        {"row": 1, "evaluated": 0, "reason": "exact", "score": 1.0},
        {"row": 2, "evaluated": 3, "reason": "contained", "score": 1.0},
    ]
    assert overlaps(rows, evaluated, DecontaminationSettings(shortest=1, ngram=10)).num_rows == 1


def test_nothing_to_look_for():
    assert not hits(["anything at all"], [])
    assert not hits([], ["one two three four"])
    assert not hits(["anything at all"], ["", "…", "so"])
