"""Calibration of language identifiers: the table of confidences by score, number of letters and script."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from scipy.optimize import minimize

from curation.langid.codes import corpus_languages, fold
from curation.langid.confidence import FIELDS, GROUP_NAMES, GROUP_OF, Curve, coefficients, on_curve
from curation.langid.deciding import decide
from curation.langid.identifier import Identifier
from curation.langid.identity import TABLE
from curation.langid.interface import backend
from curation.langid.scripts import look, own_letters
from curation.langid.settings import LanguageSettings
from open_ml_embed.core.array_types import F32, F64, I8, I32, Mask
from tools.langid.run import balanced, model_without

DOMAINS = ("udhr", "mediawiki", "descriptions")
"""Domains to measure on; their texts differ: a declaration, an interface, and descriptions of programs."""
EACH = 60
"""Most texts of a label in a domain."""
SIZES = (1, 2, 3, 5, 8)
"""Lengths to which texts are cut, in words, or in characters for scripts without spaces; whole texts are used too."""
BY_CHARACTER = ("Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
FEWEST = 200
"""Least answers to fit a curve for a group of scripts; smaller groups use the curve of all answers."""
EDGES = (0, 2, 4, 6, 8, 12, 16, 24, 40, 80)
"""Bounds of the lines of the report, in letters; a line begins above its bound."""
_START = np.array([-2.0, 0.8, 0.8, 1.0])
_REACH = (0.05, 50)
SURE = 0.9
"""Default of the confidence that a policy requires."""


@dataclass(frozen=True)
class Answers:
    """Answers of a backend for n held-out texts.

    Attributes:
        score: score of the model, float32[n].
        letters: number of letters of the text, int32[n].
        group: group of scripts, as index into `confidence.GROUP_NAMES`, int8[n].
        right: whether the answer is correct, bool[n].
        weight: float64[n]; the weights of each language sum to 1.

    """

    score: F32
    letters: I32
    group: I8
    right: Mask
    weight: F64

    @classmethod
    def joined(cls, several: Sequence[Answers]) -> Answers:
        """Concatenate several sets of answers; a language keeps its weight in each of them."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(each, name) for each in several]) for name in names))

    def of(self, chosen: Mask) -> Answers:
        """Return the answers where `chosen` is true (bool[n])."""
        return Answers(
            self.score[chosen], self.letters[chosen], self.group[chosen], self.right[chosen], self.weight[chosen]
        )


def calibrate(data: Path, settings: LanguageSettings, table: Path = TABLE) -> Answers:
    """Measure a backend, write its lines of the table of confidences, and return the measured answers.

    The texts come from domains that the model was not trained on, as those of a corpus do. For the bundled identifier,
    each of `DOMAINS` is measured with a model that was trained without it.

    Args:
        data: folder that `python -m tools.langid collect` wrote.
        settings: select the backend.
        table: file to write to.

    """
    parts = []
    for domain in DOMAINS:
        model = model_without(data, domain) if settings.backend == "bundled" else backend(settings)
        texts = pl.read_parquet(data / f"{domain}.parquet").filter(pl.col("split") == "test")
        parts.append(evaluate(model, cut(balanced(texts, sorted(set(texts["label"])), EACH))))
    answers = Answers.joined(parts)
    write(table, model.calibration, fitted(answers))
    coefficients.cache_clear()
    return answers


def cut(texts: pl.DataFrame) -> pl.DataFrame:
    """Cut texts to `SIZES`; the result also contains the whole texts.

    Args:
        texts: columns `text` and `label` (`deu-Latn`).

    Returns:
        Columns `text` and `label`. A text that is shorter than a size has no piece of that size. The start of a piece
        depends only on the text.

    """
    pieces = []
    for text, label in zip(texts["text"], texts["label"], strict=True):
        joint = "" if label.rpartition("-")[2] in BY_CHARACTER else " "
        parts = text.split() if joint else list("".join(text.split()))
        where = xxhash.xxh3_64_intdigest(text.encode())
        for size in SIZES:
            if len(parts) >= size:
                start = where % (len(parts) - size + 1)
                pieces.append((joint.join(parts[start : start + size]), label))
        pieces.append((text, label))
    return pl.DataFrame(pieces, schema={"text": pl.String, "label": pl.String}, orient="row")


def evaluate(model: Identifier, texts: pl.DataFrame) -> Answers:
    """Identify the language of labeled texts with a backend, and compare the answers with the labels.

    Args:
        model: the backend.
        texts: columns `text` and `label`. Texts in languages that the model does not claim or the corpus does not have
            are left out, and so are answers that name no language.

    """
    expected = {label: fold(label.rpartition("-")[0], "corpus") for label in texts["label"].unique()}
    texts = texts.with_columns(code=pl.col("label").replace_strict(expected, return_dtype=pl.String))
    claimed = {fold(code, "corpus") for code in model.claimed}
    texts = texts.filter(pl.col("code").is_in(sorted(claimed & corpus_languages().keys())))
    column = texts["text"].to_arrow().cast(pa.string())
    scripts = look(column)
    decided = decide(model.labels, model.ranked(own_letters(column, scripts), scripts, 1), scripts)
    codes = np.array([*(fold(label.code, "corpus") for label in model.labels), ""])
    code = np.array(texts["code"].to_list())
    names, number = np.unique(code, return_inverse=True)
    weight = 1 / np.bincount(number, minlength=len(names))[number]
    group = GROUP_OF[decided.script[:, 0]]
    answers = Answers(decided.score[:, 0], scripts.letters, group, codes[decided.label[:, 0]] == code, weight)
    return answers.of(answers.score > 0)


def fitted(answers: Answers) -> dict[str, Curve]:
    """Fit a curve for each group of scripts by maximum likelihood, within the bounds of `confidence.py`."""
    whole = _curve(answers)
    curves = {}
    for number, name in enumerate(GROUP_NAMES):
        members = answers.of(answers.group == number)
        curves[name] = whole if len(members.score) < FEWEST else _curve(members)
    return curves


def _curve(answers: Answers) -> Curve:
    score, letters = answers.score.astype(np.float64), answers.letters.astype(np.float64)
    weight = answers.weight / answers.weight.sum()

    def loss(values: F64) -> float:
        sure = on_curve(score, letters, values)
        return -float(weight @ np.log(np.where(answers.right, sure, 1 - sure)))

    result = minimize(loss, _START, method="L-BFGS-B", bounds=[(None, None), (0, None), (0, None), _REACH])
    level, slope, length, reach = np.round(result.x, 4).tolist()
    return Curve(level, slope, length, reach, len(score))


def write(path: Path, backend: str, curves: dict[str, Curve]) -> None:
    """Replace the lines of one backend in the table of confidences."""
    lines: list[dict[str, object]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as old:
            lines = [line for line in csv.DictReader(old, delimiter="\t") if line["backend"] != backend]
    for name, curve in curves.items():
        values = (backend, name, curve.level, curve.slope, curve.length, curve.reach, curve.answers)
        lines.append(dict(zip(FIELDS, values, strict=True)))
    with path.open("w", newline="", encoding="utf-8") as new:
        writer = csv.DictWriter(new, FIELDS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(lines, key=lambda line: str(line["backend"])))


@dataclass(frozen=True)
class Line:
    """Line of the report: answers for texts of a range of lengths; shares and means weigh all languages equally.

    Attributes:
        letters: range of the number of letters, as `5–6`.
        answers: number of answers.
        right: share of correct answers.
        score: mean score of the model.
        confidence: mean confidence.
        sure: number of answers with a confidence of at least 0.9.
        sure_wrong: number of wrong answers among these.

    """

    letters: str
    answers: int
    right: float
    score: float
    confidence: float
    sure: int
    sure_wrong: int


def report(answers: Answers, name: str) -> Iterable[Line]:
    """Yield the lines of the report; confidences come from the table of confidences for backend `name`."""
    confidence = on_curve(
        answers.score.astype(np.float64),
        answers.letters.astype(np.float64),
        coefficients(TABLE)[name][:, answers.group],
    )
    for low, high in zip(EDGES, (*EDGES[1:], np.iinfo(np.int32).max), strict=True):
        inside = (answers.letters > low) & (answers.letters <= high)
        if inside.any():
            of, weight, inner = (
                answers.of(inside),
                answers.weight[inside] / answers.weight[inside].sum(),
                confidence[inside],
            )
            right, score, mean = (float(weight @ each) for each in (of.right, of.score, inner))
            sure = inner >= SURE
            wrong = int((sure & ~of.right).sum())
            letters = f"{low + 1}–{high}" if high in EDGES else f"{low + 1} and more"
            yield Line(letters, len(inner), right, score, mean, int(sure.sum()), wrong)
