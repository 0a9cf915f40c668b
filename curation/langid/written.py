"""Which scripts a language is written in, and so which tags there can be.

The table is `data/written_in.tsv`; `data/README.md` says what it is made of.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from curation.langid.codes import Label, Policy, fold
from curation.langid.scripts import answered

NO_SCRIPT = "Zxxx"
"""The script of what has no linguistic content."""
CODE = "Code"
"""What stands for a script in the tag of a programming language."""

_MISLABELED: dict[Label, str | None] = {Label("cop", "Grek"): "Copt", Label("xal", "Latn"): None}
"""Labels of the bundled model whose script is wrong: it was told when the table of scripts had no Coptic, and two
Kalmyk texts consist of a Latin name and a word."""


@cache
def written_in(code: str) -> frozenset[str]:
    """Return the scripts of an ISO 639-3 code, named as `identify` answers them; none where nothing is on record.

    >>> sorted(written_in("srp")), sorted(written_in("cmn")), sorted(written_in("rus"))
    (['Cyrl', 'Latn'], ['Hani'], ['Cyrl'])
    """
    return _table().get(code, frozenset())


@cache
def scripts_of_label(label: Label) -> frozenset[str] | None:
    """Return the scripts that a model's label may be answered with; null for any, where nothing is on record.

    A label that carries a script means that one. Programming languages and `zxx` have what their tags have.

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
    """Return every tag that the table has, its codes folded by a policy.

    >>> "zho-Hani" in possible_tags("corpus"), "ces-Hani" in possible_tags("corpus")
    (True, False)
    """
    return frozenset(f"{fold(code, policy)}-{script}" for code, scripts in _table().items() for script in scripts)


@cache
def _table() -> dict[str, frozenset[str]]:
    with (Path(__file__).parent / "data" / "written_in.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return {code: frozenset(scripts.split()) for code, scripts in rows}
