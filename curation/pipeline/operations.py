"""The operations of each kind of step, and their versions, known without importing what does the work.

A check of a build asks for all versions. Importing the operations would load numba, polars and the models of language
identification, which takes longer than the rest of `curate status`. So a version is read from the source file of its
class, unless something has imported it already.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_OPERATIONS: dict[str, tuple[str, ...]] = {
    "fetch": (),
    "normalize": ("curation.normalize.step:Normalize",),
    "identify": ("curation.langid.step.run:Identify", "curation.langid.step.verdicts:Judge"),
    "measure": ("curation.quality.step:Measure",),
    "dedup": (
        "curation.dedup.step.signatures:Sign",
        "curation.dedup.step.ranks:Order",
        "curation.dedup.step.candidates:Fold",
        "curation.dedup.step.candidates:Candidates",
        "curation.dedup.step.candidates:Pairs",
        "curation.dedup.step.shingles:Shingle",
        "curation.dedup.step.components:Components",
        "curation.dedup.step.sample_pairs:Match",
        "curation.dedup.step.clusters:Cluster",
        "curation.dedup.step.merge:Merge",
    ),
    "decontaminate": (
        "curation.decontamination.step.texts:Gather",
        "curation.decontamination.step.index:BuildIndex",
        "curation.decontamination.step.rows:Contaminate",
    ),
    "mine": (
        "curation.mining.step.cross_pool_positives:Answers",
        "curation.mining.step.pools:Collect",
        "curation.mining.step.embeddings:Embed",
        "curation.mining.step.search:Search",
        "curation.mining.step.row_alignment:Align",
        "curation.mining.step.row_alignment:DrawClasses",
        "curation.mining.step.row_alignment:NoNegatives",
    ),
    "mix": (
        "curation.mixing.step.limits:Contaminated",
        "curation.mixing.step.select:Select",
        "curation.mixing.step.limits:Limits",
        "curation.mixing.step.numbering:Number",
        "curation.mixing.step.write:WriteFile",
    ),
    "report": (),
}
"""Kind of step → its operations, as module:class."""


_WITHOUT_OPERATIONS = {"fetch": {"Fetching": 1}, "report": {"Reporting": 1}}
"""Kind of step that runs no operation → a name that stands for one, and its version."""


def versions_of(kind: str) -> dict[str, int]:
    """Return class of an operation → version, for a kind of step.

    >>> versions_of("fetch")
    {'Fetching': 1}

    """
    if not _OPERATIONS[kind]:
        return _WITHOUT_OPERATIONS[kind]
    return {place.partition(":")[2]: _version(place) for place in _OPERATIONS[kind]}


def operations_of(kind: str) -> tuple[Any, ...]:
    """Import the operations of a kind of step: classes with `name` and `version`; none for steps without.

    >>> [operation.name for operation in operations_of("normalize")]
    ['rows']

    """
    named = (place.split(":") for place in _OPERATIONS[kind])
    return tuple(getattr(import_module(module), name) for module, name in named)


def _version(place: str) -> int:
    module, _, name = place.partition(":")
    if module in sys.modules:
        return int(getattr(sys.modules[module], name).version)
    return _stated(module)[name]


@cache
def _stated(module: str) -> dict[str, int]:
    """Return class → the number that its source assigns to `version`."""
    spec = find_spec(module)  # imports the packages above the module, which are empty, and not the module
    assert spec is not None, f"{module} is gone"
    assert spec.origin is not None, f"{module} has no source file"
    tree = ast.parse(Path(spec.origin).read_bytes())
    return dict(_assigned(tree))


def _assigned(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for kind in tree.body:
        if not isinstance(kind, ast.ClassDef):
            continue
        for line in kind.body:
            if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == "version" and line.value is not None:
                yield kind.name, ast.literal_eval(line.value)
