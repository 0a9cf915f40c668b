"""Evaluation of the code classifier (`code_content`): accuracy by language on held-out packages, false positives."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.code_content import PROSE, CodeModel, CodeWeights

_LOWEST = 0.9
"""Least threshold, since the held-out prose does not cover all kinds of prose."""
MIXED = frozenset(("readme", "mail", "comments"))
LENGTHS = (0, 60, 180, 540, 10_000)
"""Bounds of the length classes, in characters."""


def threshold(weights: CodeWeights, table: pa.Table, false_positives: float) -> CodeWeights:
    """Set the threshold so that at most a share of `false_positives` of each held-out domain of prose counts as code.

    Read-me files, mail and comments contain unmarked programs and are not used here.

    Args:
        weights: of the trained model.
        table: `code_corpus.CODE_SCHEMA`.
        false_positives: share from 0 to 1.

    """
    prose = table.filter(pc.and_(pc.equal(table["split"], "test"), pc.equal(table["label"], PROSE)))
    model = CodeModel(weights)
    needed = []
    for domain in set(prose["domain"].to_pylist()) - MIXED:
        texts = prose.filter(pc.equal(prose["domain"], domain))["text"]
        needed.append(float(np.quantile(model.scores(texts)[0], 1 - false_positives)))
    return dataclasses.replace(weights, threshold=round(min(max([_LOWEST, *needed]) + 0.001, 0.995), 3))


def figures(model: CodeModel, table: pa.Table) -> dict[str, Any]:
    """Measure the model on the held-out rows.

    Args:
        model: the model.
        table: `code_corpus.CODE_SCHEMA`.

    Returns:
        `languages`: texts, recall, precision and F1 of each; `macro_f1`; `by_length`: shares of programs that are
        detected as code and that are named correctly; `prose`: texts and false positives of each domain.

    """
    known = pc.is_in(table["label"], pa.array(model.weights.labels))
    test = table.filter(pc.and_(pc.equal(table["split"], "test"), known))
    answers = model.code(test["text"])
    true = np.array(test["label"].to_pylist())
    predicted = np.array([name or PROSE for name in answers.name.to_pylist()])
    lengths = pc.utf8_length(test["text"]).to_numpy()
    languages = {}
    for label in sorted(set(true) - {PROSE}):
        right = int(((true == label) & (predicted == label)).sum())
        recall, precision = right / (true == label).sum(), right / max((predicted == label).sum(), 1)
        f1 = 2 * recall * precision / max(recall + precision, 1e-9)
        languages[label] = {
            "texts": int((true == label).sum()),
            "recall": round(float(recall), 3),
            "precision": round(float(precision), 3),
            "f1": round(float(f1), 3),
        }
    by_length = {}
    code = true != PROSE
    for low, high in pairwise(LENGTHS):
        here = code & (lengths >= low) & (lengths < high)
        if here.any():
            by_length[f"{low}-{high}"] = {
                "texts": int(here.sum()),
                "found": round(float(answers.mask[here].mean()), 3),
                "named": round(float((predicted == true)[here].mean()), 3),
            }
    prose = {}
    domains = np.array(test["domain"].to_pylist())
    for domain in sorted(set(domains[~code].tolist())):
        here = ~code & (domains == domain)
        prose[domain] = {"texts": int(here.sum()), "false_positives": round(float(answers.mask[here].mean()), 5)}
    macro = float(np.mean([row["f1"] for row in languages.values()]))
    return {"macro_f1": round(macro, 4), "languages": languages, "by_length": by_length, "prose": prose}
