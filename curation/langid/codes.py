"""One code space for every identifier: ISO 639-3, and what the labels of other models mean in it.

A label is parsed (`parse_label`), which resolves two-letter and retired codes and refuses those that name no single
language; a code is folded (`fold`) by a policy, as sources and models disagree on macrolanguages:

- `individual`: a macrolanguage becomes the member that people mean by it (`ara` → `arb`), where there is one;
- `macro`: a member becomes its macrolanguage, as ISO 639-3 has them (`yue` → `zho`, `hrv` → `hbs`);
- `corpus`: the 282 codes of the published corpus, which name both kinds, stay; others become what that corpus has.

The tables stand in `data/`, as ISO 639-3 was in July 2026; langcodes folds otherwise (see the tests).
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
"""`tagged`: `deu_Latn`, `deu-Latn`, `deu`, `python-Code`; so for GlotLID, OpenLID, NLLB, heliport and the bundled
model. `lid.176`: Wikipedia's codes. `cld2`: Google's."""

MODELS: dict[str, Scheme] = {
    "glotlid-v3": "tagged", "openlid-v2": "tagged", "heliport-1.0": "tagged", "lid.176": "lid.176",
}  # fmt: skip
"""Models whose labels are on record (`labels`), each with its scheme."""

UNDETERMINED = "und"
NO_LANGUAGE = "zxx"
_NOT_A_LANGUAGE = frozenset({UNDETERMINED, NO_LANGUAGE})
_DATA = Path(__file__).parent / "data"

_OWN: dict[Scheme, dict[str, str]] = {
    "tagged": {},
    # Wikipedia's subdomains, older than ISO 639-3: Alemannic took Tosk Albanian's code, and the edition under the
    # code of the Bihari family is written in Bhojpuri.
    "lid.176": {"als": "gsw", "bh": "bho"},
    "cld2": {"un": UNDETERMINED, "sr-ME": "cnr"},
}
_SCRIPTS = {"Hang": "Kore"}
_RECENT = frozenset({"tok"})
"""Codes younger than the registry that langcodes carries."""


class LabelRefusedError(LanguageCodeError):
    """A label that stands for no single language; backends answer `und` for it."""


class Label(NamedTuple):
    """What a model says: a code (ISO 639-3, `und`, `zxx`, or a programming language), a script where it tells one."""

    code: str
    script: str | None


class CorpusLanguage(NamedTuple):
    """One language of the published corpus."""

    name: str
    samples: int


def resolve(code: str) -> str:
    """Return the current ISO 639-3 code of a two-letter, three-letter or retired code.

    Raises:
        LabelRefusedError: it names a family, was split or withdrawn, or is no code at all.

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
        label: with or without fastText's `__label__`.
        scheme: whose label it is; the same letters mean different languages to different models.

    Raises:
        LabelRefusedError: it stands for no single language.

    >>> parse_label("__label__deu_Latn"), parse_label("als"), parse_label("als", "lid.176").code
    (Label(code='deu', script='Latn'), Label(code='als', script=None), 'gsw')

    """
    name = label.removeprefix("__label__").replace("_", "-")
    if name.endswith("-Code"):
        return Label(name.removesuffix("-Code"), "Code")
    language, _, rest = name.partition("-")
    script = rest if len(rest) == 4 and rest.istitle() else None
    own = _OWN[scheme]
    code = own.get(name) or own.get(language) or resolve(language)
    return Label(code, _SCRIPTS.get(script, script) if script else None)


def parsed(labels: Iterable[str], scheme: Scheme) -> tuple[Label, ...]:
    """Read a model's labels, in order; `und` for one that is refused."""
    found = []
    for label in labels:
        try:
            found.append(parse_label(label, scheme))
        except LabelRefusedError:
            found.append(Label(UNDETERMINED, None))
    return tuple(found)


def languages_of(labels: Iterable[Label]) -> frozenset[str]:
    """Return the codes of those labels that name a language."""
    return frozenset(label.code for label in labels) - _NOT_A_LANGUAGE


def scheme_of(labels: Iterable[str]) -> Scheme:
    """Tell the scheme of a fastText model's labels: two-letter codes without a script are lid.176's."""
    return "lid.176" if any(len(label.removeprefix("__label__")) == 2 for label in labels) else "tagged"


@cache
def labels(model: str) -> tuple[str, ...]:
    """Return all labels of one of `MODELS`, as that model writes them."""
    return tuple((_DATA / "labels" / f"{model}.txt").read_text("utf-8").split())


def fold(code: str, policy: Policy) -> str:
    """Fold a code by a policy; what is in no macrolanguage's table stays as it is.

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
    """Fold a string array of codes; each distinct code is looked at once."""
    encoded = codes.dictionary_encode()
    folded = [fold(code, policy) for code in encoded.dictionary.to_pylist()]
    return pa.array(folded, pa.string()).take(encoded.indices)


@cache
def corpus_languages() -> dict[str, CorpusLanguage]:
    """Return the 282 languages of the published corpus by code, the largest first."""
    return {code: CorpusLanguage(name, int(samples)) for code, name, samples in _table("corpus_languages")}


@cache
def usual_members() -> dict[str, str]:
    """Return, by macrolanguage, the member that sources and models mean by its code; not all have one (`hbs`)."""
    return {macro: member for macro, member, relation in _table("macrolanguages") if relation == "usual"}


def members(macro: str) -> frozenset[str]:
    """Return the members of a macrolanguage, none for other codes."""
    return frozenset(member for member, (its, _) in _members().items() if its == macro)


@cache
def _members() -> dict[str, tuple[str, str]]:
    """Return member → (macrolanguage, relation).

    The relation is `usual`, `apart` for those with a written standard that is labeled separately (they have a
    Wikipedia of their own, so `zho` does not mean `nan`), otherwise `member`.
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
