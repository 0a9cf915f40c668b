"""What the model of `code_content` is worth: per language on packages not trained on, and how often prose passes."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.code_content import PROSE, CodeModel, CodeWeights

_LOWEST = 0.9
"""Threshold below which none goes: the held-out prose is not all there is."""
MIXED = frozenset(("readme", "mail", "comments"))
LENGTHS = (0, 60, 180, 540, 10_000)
"""Bounds of the classes of length, in characters."""


def threshold(weights: CodeWeights, table: pa.Table, false_positives: float) -> CodeWeights:
    """Set the threshold that lets at most so much of any held-out domain of prose pass for code.

    Read-me files, mail and comments have programs in them without saying where: they do not count here.
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
        model: ready to answer.
        table: `code_corpus.CODE_SCHEMA`.

    Returns:
        `languages`: texts, recall, precision and F1 of each; `macro_f1`; `by_length`: share of programs found and of
        those named rightly; `prose`: texts and false positives of each domain.

    """
    known = pc.is_in(table["label"], pa.array(model.weights.labels))
    test = table.filter(pc.and_(pc.equal(table["split"], "test"), known))
    found = model.code(test["text"])
    true = np.array(test["label"].to_pylist())
    said = np.array([name or PROSE for name in found.name.to_pylist()])
    lengths = pc.utf8_length(test["text"]).to_numpy()
    languages = {}
    for label in sorted(set(true) - {PROSE}):
        right = int(((true == label) & (said == label)).sum())
        recall, precision = right / (true == label).sum(), right / max((said == label).sum(), 1)
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
                "found": round(float(found.mask[here].mean()), 3),
                "named": round(float((said == true)[here].mean()), 3),
            }
    prose = {}
    domains = np.array(test["domain"].to_pylist())
    for domain in sorted(set(domains[~code].tolist())):
        here = ~code & (domains == domain)
        prose[domain] = {"texts": int(here.sum()), "false_positives": round(float(found.mask[here].mean()), 5)}
    macro = float(np.mean([row["f1"] for row in languages.values()]))
    return {"macro_f1": round(macro, 4), "languages": languages, "by_length": by_length, "prose": prose}
