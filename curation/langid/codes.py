"""Language codes: ISO 639-3 as the common code space, and the meaning of other models' labels in it.

`parse_label` parses a model's label. It resolves two-letter and retired codes, and refuses codes that name no single
language. `fold` maps a code by a policy, because sources and models treat macrolanguages differently:

- `individual`: a macrolanguage becomes the member that is usually meant by it (`ara` → `arb`), if there is one;
- `macro`: a member becomes its macrolanguage in ISO 639-3 (`yue` → `zho`, `hrv` → `hbs`);
- `corpus`: the 282 codes of the published corpus, which include both kinds, stay; others become a code of that corpus.

The tables in `data/` follow ISO 639-3 of July 2026. The library langcodes folds differently (see the tests).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import pyarrow as pa

from sources.languages import LanguageCodeError, tag_of

Policy = Literal["individual", "macro", "corpus"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
Scheme = Literal["tagged", "lid.176", "cld2"]
"""The format of a model's labels. `tagged`: `deu_Latn`, `deu-Latn`, `deu`, `python-Code` (GlotLID, OpenLID, NLLB,
heliport and the bundled model). `lid.176`: the codes of Wikipedia. `cld2`: the codes of Google."""

MODELS: dict[str, Scheme] = {
    "glotlid-v3": "tagged", "openlid-v2": "tagged", "heliport-1.0": "tagged", "lid.176": "lid.176",
}  # fmt: skip
"""Models whose labels are in `data/labels` (see `labels`), each with its scheme."""

UNDETERMINED = "und"
NO_LANGUAGE = "zxx"
_NOT_A_LANGUAGE = frozenset({UNDETERMINED, NO_LANGUAGE})
_DATA = Path(__file__).parent / "data"

_SPECIAL_CODES: dict[Scheme, dict[str, str]] = {
    "tagged": {},
    # Wikipedia's subdomains are older than ISO 639-3: Alemannic uses the code of Tosk Albanian, and the edition with
    # the code of the Bihari languages is written in Bhojpuri.
    "lid.176": {"als": "gsw", "bh": "bho"},
    "cld2": {"un": UNDETERMINED, "sr-ME": "cnr"},
}
_SCRIPTS = {"Hang": "Kore"}
_RECENT = frozenset({"tok"})
"""Codes that are newer than the language registry in langcodes."""


class LabelRefusedError(LanguageCodeError):
    """A label does not name a single language; backends answer `und` for it."""


class Label(NamedTuple):
    """A parsed label: a code (ISO 639-3, `und`, `zxx` or a programming language), and a script or None."""

    code: str
    script: str | None


class CorpusLanguage(NamedTuple):
    """One language of the published corpus: its name, and its number of samples."""

    name: str
    samples: int


def resolve(code: str) -> str:
    """Return the current ISO 639-3 code of a two-letter, three-letter or retired code.

    Raises:
        LabelRefusedError: the code names a family of languages, was split or withdrawn, or does not exist.

    >>> resolve("de"), resolve("ajp"), resolve("eml"), resolve("sh")
    ('deu', 'apc', 'egl', 'hbs')

    """
    if code in _NOT_A_LANGUAGE:
        return code
    current, note = _retired().get(code, (code, ""))
    if not current:
        raise LabelRefusedError(f"{code!r} stands for no single language: retired, {note}")
    try:
        current = tag_of(current, "Zyyy").partition("-")[0]
    except LanguageCodeError:
        raise LabelRefusedError(f"{code!r} stands for no single language: a family, several or none") from None
    if not _known(current):
        raise LabelRefusedError(f"{code!r} stands for no single language: ISO 639-3 has no such code")
    return current


@cache
def parse_label(label: str, scheme: Scheme = "tagged") -> Label:
    """Read a model's label.

    Args:
        label: a label, with or without fastText's prefix `__label__`.
        scheme: the scheme of the model, since the same code may mean different languages in different models.

    Raises:
        LabelRefusedError: the label does not name a single language.

    >>> parse_label("__label__deu_Latn"), parse_label("als"), parse_label("als", "lid.176").code
    (Label(code='deu', script='Latn'), Label(code='als', script=None), 'gsw')

    """
    name = label.removeprefix("__label__").replace("_", "-")
    if name.endswith("-Code"):
        return Label(name.removesuffix("-Code"), "Code")
    language, _, rest = name.partition("-")
    script = rest if len(rest) == 4 and rest.istitle() else None
    special = _SPECIAL_CODES[scheme]
    code = special.get(name) or special.get(language) or resolve(language)
    return Label(code, _SCRIPTS.get(script, script) if script else None)


def parsed(labels: Iterable[str], scheme: Scheme) -> tuple[Label, ...]:
    """Parse a model's labels, in order; a refused label becomes `und`."""
    result = []
    for label in labels:
        try:
            result.append(parse_label(label, scheme))
        except LabelRefusedError:
            result.append(Label(UNDETERMINED, None))
    return tuple(result)


def languages_of(labels: Iterable[Label]) -> frozenset[str]:
    """Return the codes of the labels that name a language, without `und` and `zxx`."""
    return frozenset(label.code for label in labels) - _NOT_A_LANGUAGE


def scheme_of(labels: Iterable[str]) -> Scheme:
    """Return the scheme of a fastText model's labels: `lid.176` if some are two-letter codes, else `tagged`."""
    return "lid.176" if any(len(label.removeprefix("__label__")) == 2 for label in labels) else "tagged"


@cache
def labels(model: str) -> tuple[str, ...]:
    """Return all labels of one of `MODELS`, in the model's spelling."""
    return tuple((_DATA / "labels" / f"{model}.txt").read_text("utf-8").split())


def fold(code: str, policy: Policy) -> str:
    """Fold a code by a policy; a code that is neither a macrolanguage nor a member of one stays.

    >>> [fold("cmn", policy) for policy in POLICIES], [fold("yue", policy) for policy in POLICIES]
    (['cmn', 'zho', 'zho'], ['yue', 'zho', 'yue'])
    >>> [fold("ara", policy) for policy in POLICIES], [fold("nan", policy) for policy in POLICIES]
    (['arb', 'ara', 'ara'], ['nan', 'zho', 'nan'])
    """
    if policy == "individual":
        return usual_members().get(code, code)
    macro, relation = _members().get(code, (code, "usual"))
    if policy == "macro":
        return macro
    corpus = corpus_languages()
    if code in corpus or relation == "apart":
        return code
    return next((other for other in (macro, usual_members().get(code)) if other in corpus), code)


def fold_all(codes: pa.Array, policy: Policy) -> pa.Array:
    """Fold a string array of codes, string[n]; each distinct code is folded once."""
    encoded = codes.dictionary_encode()
    folded = [fold(code, policy) for code in encoded.dictionary.to_pylist()]
    return pa.array(folded, pa.string()).take(encoded.indices)


@cache
def corpus_languages() -> dict[str, CorpusLanguage]:
    """Return the 282 languages of the published corpus by code, largest first."""
    return {code: CorpusLanguage(name, int(samples)) for code, name, samples in _table("corpus_languages")}


@cache
def usual_members() -> dict[str, str]:
    """Return macrolanguage → the member that sources and models usually mean by its code; some have none (`hbs`)."""
    return {macro: member for macro, member, relation in _table("macrolanguages") if relation == "usual"}


def members(macro: str) -> frozenset[str]:
    """Return the members of a macrolanguage; an empty set for any other code."""
    return frozenset(member for member, (its, _) in _members().items() if its == macro)


@cache
def _members() -> dict[str, tuple[str, str]]:
    """Return member → (macrolanguage, relation).

    The relation is `usual` for the member that the macrolanguage's code usually means, `apart` for members with a
    written standard that sources label separately (they have a Wikipedia edition, so `zho` does not mean `nan`), and
    `member` for all others.
    """
    return {member: (macro, relation) for macro, member, relation in _table("macrolanguages")}


@cache
def _retired() -> dict[str, tuple[str, str]]:
    return {retired: (current, note) for retired, current, note in _table("retired")}


def _known(code: str) -> bool:
    from langcodes import Language

    return code in _members() or code in usual_members() or code in _RECENT or Language.get(code).is_valid()


def _table(name: str) -> list[list[str]]:
    with (_DATA / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
