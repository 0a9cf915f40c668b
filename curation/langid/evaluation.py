"""How good an identifier is: scores of any backend on any labeled file.

Both sides are folded by one policy. Three sets of languages are scored apart, each over the texts of its languages
that a file has; a set's macro F1 is the plain mean over those languages, and one that the model cannot answer is
wrong, not left out:

- `claimed`: what the model can answer;
- `corpus`: the 282 of the published corpus;
- `largest`: the 60 largest of these.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.langid.codes import LabelRefusedError, Policy, corpus_languages, fold, fold_all, parse_label
from curation.langid.identifier import UNDETERMINED
from curation.langid.interface import backend, identify
from curation.langid.settings import LanguageSettings
from open_ml_embed.core.array_types import F32, I64, Mask
from open_ml_embed.core.errors import SettingsError

LARGEST = 60
BINS = 10
CONFUSED = 3

Ids = I64


@dataclass(frozen=True)
class SetScore:
    """One set of languages.

    Attributes:
        languages: how many of the set the texts have.
        texts: how many texts those are.
        accuracy: share of the texts that were named right.
        macro_recall: mean over languages of that share.
        macro_f1: mean over languages of F1, among these texts.

    """

    languages: int
    texts: int
    accuracy: float
    macro_recall: float
    macro_f1: float


@dataclass(frozen=True)
class LanguageScore:
    """One language, among all texts of the file; `confused` are the commonest wrong answers with their counts."""

    code: str
    texts: int
    precision: float
    recall: float
    f1: float
    confused: dict[str, int]


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence is at least `above` and below the next bin's: how sure the model was, how right."""

    above: float
    texts: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """What one model does on one file.

    Attributes:
        policy: what both sides were folded by.
        texts: how many were scored.
        undetermined: how many of them got no language.
        refused: labels of the file that stand for no language, with the texts left out for it.
        sets: `claimed`, `corpus` and `largest`.
        calibration_error: mean distance of confidence and accuracy over `reliability`, weighted by texts.
        seconds: what identification took.

    """

    policy: Policy
    texts: int
    undetermined: int
    refused: dict[str, int]
    sets: dict[str, SetScore]
    languages: list[LanguageScore]
    reliability: list[Bin]
    calibration_error: float
    seconds: float = 0.0


def evaluate(path: Path, settings: LanguageSettings, *, split: str | None = None) -> Evaluation:
    """Score the backend that the settings name on one labeled file (see `read_labeled`)."""
    table = read_labeled(path, split=split)
    texts = table["text"].combine_chunks()
    model = backend(settings)
    identify(texts[:1], settings)  # what is loaded and compiled once is no part of the speed
    began = time.perf_counter()
    found = identify(texts, settings)
    seconds = time.perf_counter() - began
    labels, confidence = table["label"].to_pylist(), found["confidence"].to_numpy()
    return score(labels, found["code"], confidence, claimed=model.claimed, policy=settings.policy, seconds=seconds)


def read_labeled(path: Path, *, split: str | None = None) -> pa.Table:
    """Read texts with their labels.

    Args:
        path: `.parquet` or `.jsonl` with `text` and `label`, otherwise lines of `label<TAB>text`, UTF-8.
        split: only the rows whose column `split` says so; a file without that column is one split.

    Returns:
        Table of `text` and `label` (string).

    Raises:
        SettingsError: no such file, no such columns, a line that cannot be read, or nothing in it.

    """
    if not path.is_file():
        raise SettingsError("no such file", where=str(path))
    if path.suffix == ".parquet":
        table = pq.read_table(path)
    else:
        with path.open(encoding="utf-8", newline="\n") as file:
            read = _json_line if path.suffix == ".jsonl" else _tabbed_line
            table = pa.Table.from_pylist([read(line, f"{path}:{i}") for i, line in enumerate(file, start=1)])
    lacking = {"text", "label"} - set(table.column_names)
    if lacking:
        raise SettingsError(
            f"no column {' or '.join(sorted(lacking))}", where=str(path), remedy="name the columns text and label"
        )
    if split is not None and "split" in table.column_names:
        table = table.filter(pc.equal(table["split"], split))
    if not len(table):
        raise SettingsError(
            "no labeled texts" + (f" of split {split!r}" if split else ""),
            where=str(path),
            remedy="give lines of label<TAB>text, JSON lines or Parquet",
        )
    return table.select(["text", "label"]).cast(pa.schema([("text", pa.string()), ("label", pa.string())])).drop_null()


def _json_line(line: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SettingsError("not a JSON object", where=where)
    return {name: found[name] for name in ("text", "label", "split") if name in found}


def _tabbed_line(line: str, where: str) -> dict[str, Any]:
    label, tab, text = line.rstrip("\r\n").partition("\t")
    if not tab:
        raise SettingsError("no tab in the line", where=where, remedy="write label<TAB>text")
    return {"label": label, "text": text}


def score(
    labels: Sequence[str],
    codes: pa.Array | pa.ChunkedArray,
    confidence: F32,
    *,
    claimed: frozenset[str],
    policy: Policy,
    seconds: float = 0.0,
) -> Evaluation:
    """Score answers against labels.

    Args:
        labels: of n texts, as `deu-Latn`, `deu_Latn` or `deu`.
        codes: string, n; the answers, folded or not.
        confidence: float32, n, from 0 to 1.
        claimed: the languages that the model can answer, not folded.
        policy: how labels and answers are folded.
        seconds: what identification took, for the record.

    """
    meant, refused = _meant(labels, policy)
    kept = np.array([code is not None for code in meant], bool)
    answers = fold_all(codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes, policy).to_pylist()
    gold = [code for code in meant if code is not None]
    said = [code for code, keep in zip(answers, kept, strict=True) if keep]
    names, ids = np.unique(np.array([*gold, *said, UNDETERMINED]), return_inverse=True)
    truth, answer = ids[: len(gold)], ids[len(gold) : -1]
    corpus = [fold(code, policy) for code in corpus_languages()]
    sets = {
        "claimed": {fold(code, policy) for code in claimed},
        "corpus": set(corpus),
        "largest": set(corpus[:LARGEST]),
    }
    bins = _reliability(confidence[kept], truth == answer, answer != ids[-1])
    answered = max(sum(b.texts for b in bins), 1)
    return Evaluation(
        policy,
        len(gold),
        said.count(UNDETERMINED),
        refused,
        {name: _set_score(truth, answer, np.isin(names, list(codes))) for name, codes in sets.items()},
        _languages(names.tolist(), truth, answer),
        bins,
        sum(abs(b.confidence - b.accuracy) * b.texts for b in bins) / answered,
        seconds,
    )


def _meant(labels: Sequence[str], policy: Policy) -> tuple[list[str | None], dict[str, int]]:
    codes: dict[str, str | None] = {}
    for label in set(labels):
        try:
            codes[label] = fold(parse_label(label).code, policy)
        except LabelRefusedError:
            codes[label] = None
    refused = {label: labels.count(label) for label, code in sorted(codes.items()) if code is None}
    return [codes[label] for label in labels], refused


def _counts(truth: Ids, answer: Ids, names: int) -> tuple[Ids, Ids, Ids]:
    """Return texts, answers and right answers of each of the names."""
    right = truth[truth == answer]
    return (
        np.bincount(truth, minlength=names),
        np.bincount(answer, minlength=names),
        np.bincount(right, minlength=names),
    )


def _set_score(truth: Ids, answer: Ids, member: Mask) -> SetScore:
    inside = member[truth]
    texts, answers, right = _counts(truth[inside], answer[inside], len(member))
    there = texts > 0
    if not there.any():
        return SetScore(0, 0, 0.0, 0.0, 0.0)
    return SetScore(
        int(there.sum()),
        int(texts.sum()),
        float(right.sum() / texts.sum()),
        float((right[there] / texts[there]).mean()),
        float((2 * right[there] / (texts[there] + answers[there])).mean()),
    )


def _languages(names: list[str], truth: Ids, answer: Ids) -> list[LanguageScore]:
    texts, answers, right = _counts(truth, answer, len(names))
    wrong = truth != answer
    pairs, counts = np.unique(truth[wrong] * len(names) + answer[wrong], return_counts=True)
    confused: dict[int, dict[str, int]] = {}
    for i in np.argsort(-counts, kind="stable").tolist():
        was, found = divmod(int(pairs[i]), len(names))
        those = confused.setdefault(was, {})
        if len(those) < CONFUSED:
            those[names[found]] = int(counts[i])
    return [
        LanguageScore(
            names[i],
            int(texts[i]),
            float(right[i] / max(answers[i], 1)),
            float(right[i] / texts[i]),
            float(2 * right[i] / (texts[i] + answers[i])),
            confused.get(i, {}),
        )
        for i in np.flatnonzero(texts).tolist()
    ]


def _reliability(confidence: F32, right: Mask, answered: Mask) -> list[Bin]:
    """Return the bins that have texts, of those that got an answer."""
    confidence, right = confidence[answered], right[answered]
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return [
        Bin(i / BINS, int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for i in range(BINS)
        if (inside := place == i).any()
    ]
