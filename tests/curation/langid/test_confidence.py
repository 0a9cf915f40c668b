"""Confidence: what it means, that it goes by length, and how its table is measured."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.langid import identify
from curation.langid.codes import Label
from curation.langid.confidence import (
    COEFFICIENTS,
    ENOUGH,
    GROUP_NAMES,
    LEAST,
    SHORT,
    SUREST,
    Curve,
    coefficients,
    confidence,
    on_curve,
)
from curation.langid.deciding import ANSWERED
from curation.langid.identifier import as_ranked
from curation.langid.identity import TABLE, identity
from curation.langid.settings import LanguageSettings
from tools.langid import calibrate as measuring
from tools.langid.calibrate import Answers, cut, evaluate, fitted, report, write

BACKENDS = ("bundled", "cld2", "fasttext", "heliport")


def one(score: float, letters: int, script: str, backend: str) -> float:
    number = np.array([ANSWERED.index(script)], np.int16)
    return float(confidence(np.array([score], np.float32), np.array([letters], np.int32), number, backend)[0])


def test_every_backend_has_a_curve_for_every_group():
    assert tuple(sorted(coefficients(TABLE))) == BACKENDS
    assert all((curves[COEFFICIENTS.index("reach")] > 0).all() for curves in coefficients(TABLE).values())


@given(
    st.floats(0, 1, width=32), st.floats(0, 1, width=32), st.integers(0, 400), st.integers(0, 400),
    st.sampled_from(["Latn", "Cyrl", "Arab", "Deva", "Hani", "Jpan", "Thai", "Zyyy"]), st.sampled_from(BACKENDS),
)  # fmt: skip
def test_confidence_never_falls_where_score_or_letters_rise(score, other, letters, more, script, backend):
    low = one(min(score, other), min(letters, more), script, backend)
    high = one(max(score, other), max(letters, more), script, backend)
    assert 0 <= low <= high + 1e-6 <= max(score, other) + 2e-6


@given(st.floats(2**-10, 1, width=32), st.integers(1, 400), st.sampled_from(BACKENDS), st.sampled_from(GROUP_NAMES))
def test_confidence_is_the_formula(score, letters, backend, group):
    level, slope, length, reach = (float(c) for c in coefficients(TABLE)[backend][:, GROUP_NAMES.index(group)])
    inside, size = min(max(score, SUREST), 1 - SUREST), min(letters, ENOUGH)
    margin = level + slope * np.log(inside / (1 - inside)) + length * np.log(size)
    expected = min(score, (1 - np.exp(-size / reach)) / (1 + np.exp(-margin)))
    script = {"others": "Thai", "Han": "Hani"}.get(group, group)
    assert one(score, letters, script, backend) == pytest.approx(expected, abs=1e-6)


# Short texts: words of several languages that are right, withheld, or not claimed to be sure

ENGLISH = """garden window yellow street visa help dog news paris diabetes weather health money ok market ticket travel
    hotel pizza bread music radio taxi menu garage photo oil gas union metal plan test film sport club bar"""
SHORT_TEXTS = {
    "Hello world": "eng", "la maison": "fra", "Спасибо": "rus", "окно": "rus", "guten Morgen": "deu", "das Haus": "deu",
    "grazie mille": "ita", "ventana": "spa", "शहर": "hin", "東京": "jpn", "안녕": "kor",
}  # fmt: skip


def test_single_words_are_not_wrong_for_sure():
    found = dict(zip(ENGLISH.split(), identify(pa.array(ENGLISH.split())).to_pylist(), strict=True))
    wrong = {word: row for word, row in found.items() if row["code"] not in ("eng", "und")}
    assert not {word for word, row in wrong.items() if row["confidence"] >= 0.9}
    assert len(wrong) <= len(found) / 3
    assert found["street"]["confidence"] > found["bread"]["confidence"] > LEAST


def test_a_word_is_in_a_large_language_rather_than_a_small_one():
    words = ["window", "school", "doctor", "order", "flight", "coffee", "work", "time", "card", "football"]
    found = identify(pa.array(words))["code"].to_pylist()
    assert sum(code == "eng" for code in found) >= 8, dict(zip(words, found, strict=True))


def test_short_texts_are_right_or_withheld():
    found = identify(pa.array(list(SHORT_TEXTS)), top_k=3)
    for (text, code), row in zip(SHORT_TEXTS.items(), found.to_pylist(), strict=True):
        assert row["code"] in (code, "und") or (text == "東京" and row["code"] == "zho"), (text, row)
        if row["code"] == "und" and row["letters"] < SHORT:
            assert row["confidence"] == 0
            assert row["alternatives"][0] == {"code": "und", "confidence": 0}
            assert 0 < row["alternatives"][1]["confidence"] < LEAST


def test_letters_count_a_character_of_han_for_three():
    texts = ["漢字", "かな", "한국어", "ไทย", "12 abc", "Купил iPhone"]
    assert identify(pa.array(texts))["letters"].to_pylist() == [6, 6, 9, 3, 3, 5]


def test_another_table_of_confidences_is_another_identity(tmp_path, monkeypatch):
    before = identity(LanguageSettings()), identity(LanguageSettings(backend="cld2"))
    other = tmp_path / "confidence.tsv"
    other.write_bytes(TABLE.read_bytes() + b"\n")
    monkeypatch.setattr("curation.langid.identity.TABLE", other)
    after = identity(LanguageSettings()), identity(LanguageSettings(backend="cld2"))
    assert len({*before, *after}) == 4


# How the table is measured


def drawn(curve: Curve, n: int, group: int = 0, seed: int = 0) -> Answers:
    """Draw answers that are right as often as a curve says."""
    rng = np.random.default_rng(seed)
    score, letters = rng.uniform(0.05, 1, n), rng.integers(1, 80, n)
    sure = on_curve(score, letters.astype(float), [curve.level, curve.slope, curve.length, curve.reach])
    right = rng.random(n) < sure
    group_of = np.full(n, group, np.int8)
    return Answers(score.astype(np.float32), letters.astype(np.int32), group_of, right, np.ones(n))


def test_fitting_finds_the_curve_that_answers_were_drawn_from():
    true = Curve(-3.0, 0.7, 1.2, 2.5)
    answers = drawn(true, 12_000)
    found = fitted(answers)[GROUP_NAMES[0]]
    score, letters = answers.score.astype(float), answers.letters.astype(float)
    curves = [on_curve(score, letters, [c.level, c.slope, c.length, c.reach]) for c in (true, found)]
    assert np.abs(curves[0] - curves[1]).mean() < 0.02
    assert found.answers == 12_000


def test_a_group_with_few_answers_takes_the_curve_of_all():
    many, few = drawn(Curve(-2.0, 1.0, 0.5, 1.0), 2000), drawn(Curve(2.0, 0.0, 0.0, 0.1), 50, 1, 1)
    curves = fitted(Answers.joined([many, few]))
    assert curves[GROUP_NAMES[1]] == curves[GROUP_NAMES[2]]
    assert curves[GROUP_NAMES[0]] != curves[GROUP_NAMES[1]]


def test_the_table_keeps_what_other_backends_have(tmp_path):
    path = tmp_path / "table.tsv"
    curves = {name: Curve(-1.0, 0.5, 0.25, 2.0, 9) for name in GROUP_NAMES}
    write(path, "one", curves)
    write(path, "two", {name: Curve(-2.0, 0.5, 0.25, 2.0, 9) for name in GROUP_NAMES})
    first = path.read_bytes()
    write(path, "one", curves)
    assert path.read_bytes() == first
    table = coefficients(path)
    assert table["one"][:, 0].tolist() == [-1.0, 0.5, 0.25, 2.0]
    assert table["two"][0].tolist() == [-2.0] * len(GROUP_NAMES)


def test_texts_are_cut_to_words_or_characters():
    texts = pl.DataFrame({"text": ["one two three four", "漢字です。"], "label": ["eng-Latn", "jpn-Jpan"]})
    pieces = cut(texts)
    english = pieces.filter(pl.col("label") == "eng-Latn")["text"].to_list()
    assert [len(piece.split()) for piece in english] == [1, 2, 3, 4]
    assert all(piece in "one two three four" for piece in english)
    assert [len(piece) for piece in pieces.filter(pl.col("label") == "jpn-Jpan")["text"]] == [1, 2, 3, 5, 5]
    assert cut(texts).equals(pieces)


class Told:
    """An identifier that says Latin text is English, and is surer of long texts."""

    labels = (Label("eng", "Latn"), Label("deu", "Latn"))
    calibration = "bundled"
    claimed = frozenset({"eng", "deu"})

    def ranked(self, texts, scripts, k):
        return as_ranked([[(0, 0.5 + min(len(text), 40) / 100)] if text else [] for text in texts.to_pylist()])


def test_each_language_weighs_the_same_and_others_are_left_out():
    words = ["water", "wasser", "haus", "eau", ""]
    texts = pl.DataFrame({"text": words, "label": ["eng-Latn", "deu-Latn", "deu-Latn", "fra-Latn", "eng-Latn"]})
    answers = evaluate(Told(), texts)
    assert answers.right.tolist() == [True, False, False]  # no French, and no text without an answer
    assert answers.weight.tolist() == [0.5, 0.5, 0.5]
    (line,) = [line for line in report(answers, "bundled") if line.letters == "5–6"]
    assert (line.answers, line.right) == (2, 0.5)


def test_calibrating_writes_the_lines_of_the_backend(tmp_path, monkeypatch):
    for domain in measuring.DOMAINS:
        rows = [(f"word {i} of many other words", "eng-Latn" if i % 3 else "deu-Latn", "test") for i in range(90)]
        pl.DataFrame(rows, ["text", "label", "split"], orient="row").write_parquet(tmp_path / f"{domain}.parquet")
    monkeypatch.setattr(measuring, "backend", lambda settings: Told())
    answers = measuring.calibrate(tmp_path, LanguageSettings(backend="cld2"), tmp_path / "table.tsv")
    assert len(answers.score) > 0
    assert list(coefficients(tmp_path / "table.tsv")) == ["bundled"]
