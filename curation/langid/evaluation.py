"""Evaluation of language identification: scores of any backend on any labeled file.

Labels and answers are folded by the same policy. Three sets of languages are scored separately, each on the texts of
its languages in the file. The macro F1 of a set is the unweighted mean over the languages; a language that the model
cannot answer counts as wrong:

- `claimed`: the languages that the model can answer;
- `corpus`: the 282 languages of the published corpus;
- `largest`: the 60 largest of these.
"""

from __future__ import annotations

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
from open_ml_embed.core.json_text import loads

LARGEST = 60
BINS = 10
CONFUSED = 3

Ids = I64


@dataclass(frozen=True)
class SetScore:
    """Scores of one set of languages.

    Attributes:
        languages: number of languages of the set that occur in the file.
        texts: number of texts in these languages.
        accuracy: share of these texts with the right answer.
        macro_recall: mean over languages of the share of texts with the right answer.
        macro_f1: mean over languages of F1, computed on these texts.

    """

    languages: int
    texts: int
    accuracy: float
    macro_recall: float
    macro_f1: float


@dataclass(frozen=True)
class LanguageScore:
    """Scores of one language on all texts of the file; `confused` has the commonest wrong answers with their counts."""

    code: str
    texts: int
    precision: float
    recall: float
    f1: float
    confused: dict[str, int]


@dataclass(frozen=True)
class Bin:
    """A reliability bin: mean confidence and accuracy of the answers with confidence from `above` to the next bin's."""

    above: float
    texts: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on one file.

    Attributes:
        policy: the policy that folded labels and answers.
        texts: number of scored texts.
        undetermined: number of texts with the answer `und`.
        refused: labels of the file that name no single language, with the numbers of texts left out.
        sets: scores of `claimed`, `corpus` and `largest`.
        languages: scores of each language in the file.
        reliability: the reliability bins that have texts.
        calibration_error: mean absolute difference of confidence and accuracy over the bins, weighted by texts.
        seconds: duration of identification, in seconds.

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
    """Score the backend that the settings name on one labeled file.

    Args:
        path: the file, as `read_labeled` reads it.
        settings: backend, model and policy.
        split: see `read_labeled`.

    Raises:
        SettingsError: the file cannot be read, or the backend cannot be loaded.

    """
    table = read_labeled(path, split=split)
    texts = table["text"].combine_chunks()
    model = backend(settings)
    identify(texts[:1], settings)  # warm up: loading and compiling is not part of the speed
    began = time.perf_counter()
    identified = identify(texts, settings)
    seconds = time.perf_counter() - began
    labels, confidence = table["label"].to_pylist(), identified["confidence"].to_numpy()
    return score(labels, identified["code"], confidence, claimed=model.claimed, policy=settings.policy, seconds=seconds)


def read_labeled(path: Path, *, split: str | None = None) -> pa.Table:
    """Read texts with their labels.

    Args:
        path: a `.parquet` or `.jsonl` file with `text` and `label`, or a UTF-8 file with lines `label<TAB>text`.
        split: keep only the rows with this value in column `split`; ignored if the file has no such column.

    Returns:
        Table with columns `text` and `label` (string).

    Raises:
        SettingsError: the file does not exist, lacks a column, has an unreadable line, or has no texts.

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
        record = loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise SettingsError("not a JSON object", where=where)
    return {name: record[name] for name in ("text", "label", "split") if name in record}


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
        labels: labels of n texts, such as `deu-Latn`, `deu_Latn` or `deu`.
        codes: string[n], the answers, folded or not.
        confidence: float32[n], from 0 to 1.
        claimed: the languages that the model can answer, not folded.
        policy: the policy that folds labels and answers.
        seconds: duration of identification in seconds, copied to the result.

    """
    expected, refused = _expected(labels, policy)
    kept = np.array([code is not None for code in expected], bool)
    answers = fold_all(codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes, policy).to_pylist()
    gold = [code for code in expected if code is not None]
    predicted = [code for code, keep in zip(answers, kept, strict=True) if keep]
    names, ids = np.unique(np.array([*gold, *predicted, UNDETERMINED]), return_inverse=True)
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
        predicted.count(UNDETERMINED),
        refused,
        {name: _set_score(truth, answer, np.isin(names, list(codes))) for name, codes in sets.items()},
        _languages(names.tolist(), truth, answer),
        bins,
        sum(abs(b.confidence - b.accuracy) * b.texts for b in bins) / answered,
        seconds,
    )


def _expected(labels: Sequence[str], policy: Policy) -> tuple[list[str | None], dict[str, int]]:
    codes: dict[str, str | None] = {}
    for label in set(labels):
        try:
            codes[label] = fold(parse_label(label).code, policy)
        except LabelRefusedError:
            codes[label] = None
    refused = {label: labels.count(label) for label, code in sorted(codes.items()) if code is None}
    return [codes[label] for label in labels], refused


def _counts(truth: Ids, answer: Ids, names: int) -> tuple[Ids, Ids, Ids]:
    """Return the numbers of texts, of answers and of right answers for each language, int64[names] each."""
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
        true_id, answer_id = divmod(int(pairs[i]), len(names))
        most_confused = confused.setdefault(true_id, {})
        if len(most_confused) < CONFUSED:
            most_confused[names[answer_id]] = int(counts[i])
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
    """Return the bins that have texts, computed on texts that got an answer."""
    confidence, right = confidence[answered], right[answered]
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return [
        Bin(i / BINS, int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for i in range(BINS)
        if (inside := bins == i).any()
    ]
