"""Operation `verdicts`: compares declared with identified languages; a verdict on each text, an outcome for each row.

A verdict does not depend on the source's trust policy; the outcome does. Both are row-aligned columns. The operation is
separate from identification, so that a change of policy does not repeat identification.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.codes import LabelRefusedError, members, resolve
from curation.langid.confidence import SHORT
from curation.langid.identifier import UNDETERMINED
from curation.langid.settings import LanguageSettings, SourceTrust, TrustSettings
from open_ml_embed.core.array_types import U8, Mask
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from sources.languages import NO_LANGUAGE

SIDES = ("query", "positive")
VERDICTS = ("agree", "disagree", "undetermined", "declared-only")
"""`undetermined`: the identifier names no language. `declared-only`: the answer of the identifier is not used, because
the source declares a programming language, or that the text has no language."""
_AGREE, _DISAGREE, _DECLARED_ONLY = (VERDICTS.index(name) for name in ("agree", "disagree", "declared-only"))
DROP_REASONS = (None, "query-language", "positive-language", "both-languages")

VERDICTS_SCHEMA = pa.schema(
    [
        *(pa.field(f"{side}_verdict", pa.string(), nullable=False) for side in SIDES),
        *(pa.field(f"{side}_lang_final", pa.string(), nullable=False) for side in SIDES),
        pa.field("drop_reason", pa.string()),
    ]
)
"""Row-aligned with the rows shard. `<side>_verdict` is one of `VERDICTS`; `<side>_lang_final` is a language tag like
the declared one; `drop_reason` is one of `DROP_REASONS`, null for a row that stays."""

NOT_NAMED = frozenset({UNDETERMINED, "zxx", "mis", "mul"})
"""Codes that do not name a language."""
SHOWN = 20
"""Disagreements kept for each shard and for each source."""
EXCERPT = 200
"""Characters of a text that a disagreement shows."""

UNRESOLVABLE = frozenset(
    frozenset(pair)
    for pair in (
        ("fil", "tgl"),
        ("hif", "hin"), ("hif", "urd"),
        ("bos", "hrv"), ("bos", "srp"), ("bos", "cnr"), ("cnr", "hrv"), ("cnr", "srp"),
    )
)  # fmt: skip
"""Pairs of codes that ISO 639-3 distinguishes and identifiers do not.

Filipino is the standard form of Tagalog. Hindi and Urdu in Latin letters look like Fiji Hindi, the only one of the
three that the bundled model has in that script. Bosnian and Montenegrin are standard forms of the same language as
Croatian and Serbian: the model identifies 28 % of Bosnian and 58 % of Montenegrin texts as Croatian, and 18 % of
Croatian and 21 % of Serbian texts in Latin script as Bosnian. It distinguishes Serbian and Croatian (errors of 4 and
11 %), Indonesian and Malay (5 and 16 %), and Bokmål and Nynorsk (3 and 9 %) well enough for a difference to be
informative (`benchmarks/langid.py`, `twins`). The policy `macro` folds Bosnian, Croatian, Montenegrin and Serbian into
one language."""
UNRESOLVABLE_IN = {"Latn": frozenset({frozenset({"hin", "urd"})})}
"""Script → pairs of codes that are otherwise distinguished by script, and are not distinguished in this one."""


@cache
def agree(declared: str, identified: str, script: str = "") -> bool:
    """Tell whether two codes may mean the same language.

    They do if they are equal after retired codes are replaced, if one is a macrolanguage of the other, or if they are a
    pair in `UNRESOLVABLE` or in `UNRESOLVABLE_IN` for the script.

    Args:
        declared: the declared code.
        identified: the identified code.
        script: the script of the text, empty if unknown.

    >>> agree("zho", "cmn"), agree("nno", "nor"), agree("ajp", "apc"), agree("nob", "nno"), agree("deu", "nld")
    (True, True, True, False, False)
    """
    one, other = _current(declared), _current(identified)
    pair = frozenset({one, other})
    same = one == other or pair in UNRESOLVABLE or pair in UNRESOLVABLE_IN.get(script, ())
    return same or one in members(other) or other in members(one)


def _current(code: str) -> str:
    try:
        return resolve(code)
    except LabelRefusedError:  # a programming language, or a code that only the source uses
        return code


def verdict(tag: str, code: str, script: str = "", *, code_declared: bool) -> str:
    """Return the verdict on one text from its declared tag, its identified code and, if known, its script.

    >>> [verdict("deu-Latn", code, code_declared=True) for code in ("deu", "nld", "zxx")]
    ['agree', 'disagree', 'undetermined']
    """
    language, _, declared_script = tag.rpartition("-")
    if tag == NO_LANGUAGE or (code_declared and declared_script == "Code"):
        return "declared-only"
    if code in NOT_NAMED:
        return "undetermined"
    return "agree" if agree(language, code, script or declared_script) else "disagree"


@dataclass(frozen=True)
class Judged:
    """Verdicts on one side of n rows.

    Attributes:
        verdict: uint8[n], indices into `VERDICTS`.
        overruled: bool[n], a disagreement with at least the confidence of the policy, in a text that is long enough.
        confusion: declared code → identified code → number of texts, for the texts that were identified.

    """

    verdict: U8
    overruled: Mask
    confusion: dict[str, Counter[str]]


def judge(declared: pa.ChunkedArray, identified: pa.Table, settings: LanguageSettings, trust: SourceTrust) -> Judged:
    """Judge one side of n rows.

    Args:
        declared: the declared tags, string[n].
        identified: n rows of `code`, `script`, `confidence`, `letters`.
        settings: `code_declared` tells whether a declared programming language is accepted.
        trust: the confidence from which a disagreement overrules the declared language. In a text with fewer letters
            than `SHORT`, no disagreement does.

    """
    tags = declared.combine_chunks().dictionary_encode()
    codes, scripts = (identified[name].combine_chunks().dictionary_encode() for name in ("code", "script"))
    lengths = [len(column.dictionary) for column in (codes, scripts)]
    pairs = tags.indices.to_numpy().astype(np.int64)
    for column, length in zip((codes, scripts), lengths, strict=True):
        pairs = pairs * length + column.indices.to_numpy()
    distinct, member, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    tag_names, code_names, script_names = (column.dictionary.to_pylist() for column in (tags, codes, scripts))
    verdicts = np.empty(len(distinct), np.uint8)
    confusion: dict[str, Counter[str]] = {}
    for i, (pair, count) in enumerate(zip(distinct.tolist(), counts.tolist(), strict=True)):
        rest, script = divmod(pair, lengths[1])
        tag, code = tag_names[rest // lengths[0]], code_names[rest % lengths[0]]
        verdicts[i] = VERDICTS.index(verdict(tag, code, script_names[script], code_declared=settings.code_declared))
        if verdicts[i] != _DECLARED_ONLY:
            language = tag.rpartition("-")[0]
            same = verdicts[i] == _AGREE and not agree(language, code)  # the codes are equivalent in this script only
            confusion.setdefault(language, Counter())[language if same else code] += count
    of_row = verdicts[member]
    sure = identified["confidence"].to_numpy() >= trust.confidence
    long_enough = identified["letters"].to_numpy() >= SHORT
    return Judged(of_row, (of_row == _DISAGREE) & sure & long_enough, confusion)


class Disagreement(TypedDict):
    """A text whose identified language differs from the declared one."""

    row_id: str
    side: str
    declared: str
    identified: str
    confidence: float
    text: str
    """The first `EXCERPT` characters of the text, with an ellipsis if it is longer."""


class Judge:
    """Operation: compute verdicts and outcomes from declared and identified languages, by one trust policy."""

    name: ClassVar[str] = "verdicts"
    version: ClassVar[int] = 2

    def __init__(self, settings: LanguageSettings, trust: SourceTrust) -> None:
        self.settings = settings.model_copy(update={"trust": TrustSettings(default=trust)})
        self._trust = trust

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Judge one shard."""
        identified = store.read_table(f"languages/{task.path}.languages.arrow")
        declared = store.read_table(f"rows/{task.path}.rows.arrow", [f"{side}_lang" for side in SIDES])
        sides = {
            side: judge(declared[f"{side}_lang"], _of_side(identified, side), self.settings, self._trust)
            for side in SIDES
        }
        table = self._outcomes(declared, identified, sides)
        out.table("verdicts", table.to_batches(), VERDICTS_SCHEMA)
        confusion: dict[str, Counter[str]] = {}
        for judged in sides.values():
            for declared_code, identified_codes in judged.confusion.items():
                confusion.setdefault(declared_code, Counter()).update(identified_codes)
        tags = {tag for side in SIDES for tag in declared[f"{side}_lang"].unique().to_pylist()}
        counts = sum(np.bincount(judged.verdict, minlength=len(VERDICTS)) for judged in sides.values())
        return {
            "verdicts": dict(zip(VERDICTS, np.asarray(counts).tolist(), strict=True)),
            "overruled": int(sum(judged.overruled.sum() for judged in sides.values())),
            "dropped": dict(Counter(filter(None, table["drop_reason"].to_pylist()))),
            "confusion": confusion,
            "programming": sorted(tag.removesuffix("-Code") for tag in tags if tag.endswith("-Code")),
            "disagreements": _strongest_of(store, task.path, declared, identified, sides),
        }

    def _outcomes(self, declared: pa.Table, identified: pa.Table, sides: dict[str, Judged]) -> pa.Table:
        columns: dict[str, Any] = {}
        for side, judged in sides.items():
            columns[f"{side}_verdict"] = pa.array(VERDICTS).take(pa.array(judged.verdict))
            final = declared[f"{side}_lang"]
            if self._trust.policy == "trust-identified":
                final = pc.if_else(pa.array(judged.overruled), _tags(identified, side), final)
            columns[f"{side}_lang_final"] = final
        reason = sides["query"].overruled + 2 * sides["positive"].overruled.astype(np.uint8)
        if self._trust.policy != "drop-disagreement":
            reason[:] = 0
        columns["drop_reason"] = pa.array(DROP_REASONS, pa.string()).take(pa.array(reason))
        return pa.table([columns[name] for name in VERDICTS_SCHEMA.names], schema=VERDICTS_SCHEMA)


def _of_side(identified: pa.Table, side: str) -> pa.Table:
    return pa.table({name: identified[f"{side}_{name}"] for name in ("code", "script", "confidence", "letters")})


def _tags(identified: pa.Table, side: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(identified[f"{side}_code"], identified[f"{side}_script"], "-")


def _strongest_of(
    store: Store, path: str, declared: pa.Table, identified: pa.Table, sides: dict[str, Judged]
) -> list[Disagreement]:
    """Return the most confident disagreements of one shard; texts are read only if there are any."""
    at, side = np.nonzero(np.stack([sides[name].verdict == _DISAGREE for name in SIDES], axis=1))
    if not len(at):
        return []
    rows = store.read_table(f"rows/{path}.rows.arrow", ["row_id", *SIDES])
    confidence = np.stack([identified[f"{name}_confidence"].to_numpy() for name in SIDES], axis=1)[at, side]
    tags = [_tags(identified, name) for name in SIDES]

    def entry(i: int) -> Disagreement:
        row, name = int(at[i]), SIDES[side[i]]
        text = rows[name][row].as_py()
        return {
            "row_id": rows["row_id"][row].as_py().hex(),
            "side": name,
            "declared": declared[f"{name}_lang"][row].as_py(),
            "identified": tags[side[i]][row].as_py(),
            "confidence": float(confidence[i]),
            "text": text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + "…",
        }

    return _distinct(entry(i) for i in np.lexsort((side, row_keys(rows)[at], -confidence)))


def strongest(shards: Iterable[list[Disagreement]]) -> list[Disagreement]:
    """Merge the disagreements of shards: the most confident first, then by row id, independent of the sharding."""
    disagreements = [entry for shard in shards for entry in shard]
    return _distinct(sorted(disagreements, key=lambda d: (-d["confidence"], d["row_id"], SIDES.index(d["side"]))))


def _distinct(entries: Iterable[Disagreement]) -> list[Disagreement]:
    """Return the first `SHOWN` disagreements; a text that several rows repeat counts once."""
    distinct: dict[tuple[str, str, str], Disagreement] = {}
    for entry in entries:
        distinct.setdefault((entry["text"], entry["declared"], entry["identified"]), entry)
        if len(distinct) == SHOWN:
            break
    return list(distinct.values())
