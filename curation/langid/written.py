"""The scripts that each language is written in, and therefore the tags that are possible.

The table is `data/written_in.tsv`; `data/README.md` describes its sources.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from curation.langid.codes import Label, Policy, fold
from curation.langid.scripts import answered

NO_SCRIPT = "Zxxx"
"""The script of texts without linguistic content."""
CODE = "Code"
"""The value in place of a script in the tag of a programming language."""

_MISLABELED: dict[Label, str | None] = {Label("cop", "Grek"): "Copt", Label("xal", "Latn"): None}
"""Labels of the bundled model with a wrong script → the right one, or None. Coptic was missing in the table of scripts
when the model was trained, and two Kalmyk training texts consist of a Latin name and a word."""


@cache
def written_in(code: str) -> frozenset[str]:
    """Return the scripts of an ISO 639-3 code, with the names that `identify` uses; empty if the table lacks the code.

    >>> sorted(written_in("srp")), sorted(written_in("cmn")), sorted(written_in("rus"))
    (['Cyrl', 'Latn'], ['Hani'], ['Cyrl'])
    """
    return _table().get(code, frozenset())


@cache
def scripts_of_label(label: Label) -> frozenset[str] | None:
    """Return the scripts that answers with a model's label may have; None for any script, if the table lacks the code.

    A label with a script has that one. Programming languages have `Code`, and `zxx` has `Zxxx`.

    >>> sorted(scripts_of_label(Label("cmn", "Hant"))), sorted(scripts_of_label(Label("srp", None)))
    (['Hani'], ['Cyrl', 'Latn'])
    """
    if label.code == "zxx":
        return frozenset({NO_SCRIPT})
    if label.script == CODE:
        return frozenset({CODE})
    if label in _MISLABELED:
        script = _MISLABELED[label]
        return frozenset({script} if script else ())
    if label.script:
        return frozenset({answered(label.script)})
    return written_in(label.code) or None


@cache
def possible_tags(policy: Policy) -> frozenset[str]:
    """Return all tags of the table, with codes folded by a policy.

    >>> "zho-Hani" in possible_tags("corpus"), "ces-Hani" in possible_tags("corpus")
    (True, False)
    """
    return frozenset(f"{fold(code, policy)}-{script}" for code, scripts in _table().items() for script in scripts)


@cache
def _table() -> dict[str, frozenset[str]]:
    with (Path(__file__).parent / "data" / "written_in.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return {code: frozenset(scripts.split()) for code, scripts in rows}
