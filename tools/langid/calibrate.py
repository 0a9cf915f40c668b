"""How often answers are right, by score, letters and script: the table of confidences."""

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
from curation.langid.confidence import FIELDS, GROUP_NAMES, GROUP_OF, TABLE, Curve, coefficients, on_curve
from curation.langid.deciding import decide
from curation.langid.identifier import Identifier
from curation.langid.interface import backend
from curation.langid.scripts import look, own_letters
from curation.langid.settings import LanguageSettings
from open_ml_embed.core.array_types import F32, F64, I8, I32, Mask
from tools.langid.run import balanced, model_without

DOMAINS = ("udhr", "mediawiki", "descriptions")
"""A declaration, an interface and prose about programs: kinds of text that differ."""
EACH = 60
"""Texts of a label and domain, at most."""
SIZES = (1, 2, 3, 5, 8)
"""Words, or characters where a script has no spaces, that texts are cut to; and they are taken whole."""
BY_CHARACTER = ("Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
FEWEST = 200
"""Answers that the curve of a group of scripts is fitted to, at least; groups with fewer take the one of all."""
EDGES = (0, 2, 4, 6, 8, 12, 16, 24, 40, 80)
"""Numbers of letters above which the lines of the report begin."""
_START = np.array([-2.0, 0.8, 0.8, 1.0])
_REACH = (0.05, 50)
SURE = 0.9
"""The confidence that a policy asks for where `params.yaml` says nothing."""


@dataclass(frozen=True)
class Answers:
    """What a backend said of n pieces of held-out texts.

    Attributes:
        score: float32, n.
        letters: int32, n.
        group: int8, n; numbers in `confidence.GROUP_NAMES`.
        right: bool, n.
        weight: float64, n; each language of the corpus weighs as much as any other in all.

    """

    score: F32
    letters: I32
    group: I8
    right: Mask
    weight: F64

    @classmethod
    def joined(cls, several: Sequence[Answers]) -> Answers:
        """Return several as one; a language weighs in each of them alike."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(each, name) for each in several]) for name in names))

    def of(self, chosen: Mask) -> Answers:
        """Return those that are chosen (bool, n)."""
        return Answers(
            self.score[chosen], self.letters[chosen], self.group[chosen], self.right[chosen], self.weight[chosen]
        )


def calibrate(data: Path, settings: LanguageSettings, table: Path = TABLE) -> Answers:
    """Measure a backend, write its lines of the table of confidences, and return what they were measured on.

    Texts are of kinds that the answering model has not learnt from, as those of a corpus are: for the bundled
    identifier, each of `DOMAINS` is asked of a model trained without it.

    Args:
        data: what `python -m tools.langid collect` wrote.
        settings: which backend.
        table: the table to write to.

    """
    found = []
    for domain in DOMAINS:
        model = model_without(data, domain) if settings.backend == "bundled" else backend(settings)
        texts = pl.read_parquet(data / f"{domain}.parquet").filter(pl.col("split") == "test")
        found.append(asked(model, cut(balanced(texts, sorted(set(texts["label"])), EACH))))
    answers = Answers.joined(found)
    write(table, model.calibration, fitted(answers))
    coefficients.cache_clear()
    return answers


def cut(texts: pl.DataFrame) -> pl.DataFrame:
    """Cut texts to `SIZES` and leave them whole.

    Args:
        texts: `text` and `label` (`deu-Latn`).

    Returns:
        `text` and `label`; a text that is shorter than a size has no piece of it. Where a piece begins depends on the
        text alone.

    """
    found = []
    for text, label in zip(texts["text"], texts["label"], strict=True):
        joint = "" if label.rpartition("-")[2] in BY_CHARACTER else " "
        parts = text.split() if joint else list("".join(text.split()))
        where = xxhash.xxh3_64_intdigest(text.encode())
        for size in SIZES:
            if len(parts) >= size:
                start = where % (len(parts) - size + 1)
                found.append((joint.join(parts[start : start + size]), label))
        found.append((text, label))
    return pl.DataFrame(found, schema={"text": pl.String, "label": pl.String}, orient="row")


def asked(model: Identifier, texts: pl.DataFrame) -> Answers:
    """Ask a backend for the language of texts in languages of the corpus, and note what was right.

    Args:
        model: the backend.
        texts: `text` and `label`; those in languages that the model does not claim or the corpus has not are left
            out, and answers that name none.

    """
    meant = {label: fold(label.rpartition("-")[0], "corpus") for label in texts["label"].unique()}
    texts = texts.with_columns(code=pl.col("label").replace_strict(meant, return_dtype=pl.String))
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
    found = Answers(decided.score[:, 0], scripts.letters, group, codes[decided.label[:, 0]] == code, weight)
    return found.of(found.score > 0)


def fitted(answers: Answers) -> dict[str, Curve]:
    """Fit a curve to each group of scripts by maximum likelihood, within the bounds of `confidence.py`."""
    whole = _curve(answers)
    curves = {}
    for number, name in enumerate(GROUP_NAMES):
        own = answers.of(answers.group == number)
        curves[name] = whole if len(own.score) < FEWEST else _curve(own)
    return curves


def _curve(answers: Answers) -> Curve:
    score, letters = answers.score.astype(np.float64), answers.letters.astype(np.float64)
    weight = answers.weight / answers.weight.sum()

    def loss(values: F64) -> float:
        sure = on_curve(score, letters, values)
        return -float(weight @ np.log(np.where(answers.right, sure, 1 - sure)))

    found = minimize(loss, _START, method="L-BFGS-B", bounds=[(None, None), (0, None), (0, None), _REACH])
    level, slope, length, reach = np.round(found.x, 4).tolist()
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
    """Answers for texts of about one length; shares and means count each language alike.

    Attributes:
        letters: `5–6`.
        answers: how many.
        right: share that is right.
        score: mean of what the model says.
        confidence: mean of what is made of it.
        sure: how many have a confidence of 0.9 and more.
        sure_wrong: how many of these are wrong.

    """

    letters: str
    answers: int
    right: float
    score: float
    confidence: float
    sure: int
    sure_wrong: int


def report(answers: Answers, name: str) -> Iterable[Line]:
    """Yield lines by number of letters, with the confidences that the table has for a backend."""
    found = on_curve(
        answers.score.astype(np.float64),
        answers.letters.astype(np.float64),
        coefficients(TABLE)[name][:, answers.group],
    )
    for low, high in zip(EDGES, (*EDGES[1:], np.iinfo(np.int32).max), strict=True):
        inside = (answers.letters > low) & (answers.letters <= high)
        if inside.any():
            of, weight, own = answers.of(inside), answers.weight[inside] / answers.weight[inside].sum(), found[inside]
            right, score, mean = (float(weight @ each) for each in (of.right, of.score, own))
            sure = own >= SURE
            wrong = int((sure & ~of.right).sum())
            letters = f"{low + 1}–{high}" if high in EDGES else f"{low + 1} and more"
            yield Line(letters, len(own), right, score, mean, int(sure.sum()), wrong)
