"""Which languages a source declares, and the part of a source that is in some languages."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from sources.languages import LanguageCodeError, code_tag, is_tag, tag_of
from sources.manifest import Manifest


@cache
def names(language: str, tag: str) -> bool:
    """Tell whether a tag is of a language.

    Args:
        language: a tag, a code or the name of a programming language; without a script it matches all scripts.
        tag: as manifests declare it.

    >>> names("deu", "deu-Latn"), names("sr", "srp-Cyrl"), names("srp-Latn", "srp-Cyrl"), names("python", "python-Code")
    (True, True, False, True)

    """
    if tag == code_tag(language) or is_tag(language):
        return tag in (language, code_tag(language))
    try:
        wanted = tag_of(language)
    except LanguageCodeError:
        return False
    if "-" in language or "_" in language:
        return wanted == tag
    return wanted.partition("-")[0] == tag.partition("-")[0] and not tag.endswith("-Code")


def speaks(manifest: Manifest, language: str) -> bool:
    """Tell whether a source declares a language.

    Args:
        manifest: of the source. If a raw column holds the language, only the languages that the manifest lists count.
        language: see `names`.

    """
    return any(names(language, tag) for tag in manifest.languages())


def within(manifest: Manifest, languages: Iterable[str]) -> Manifest | None:
    """Return the part of a source that is in some languages: the subsets of which every text is in one of them.

    Args:
        manifest: of the source. A subset whose rows state their language counts with all the languages that it lists.
        languages: see `names`.

    Returns:
        The manifest with fewer subsets; null if none is left.

    """
    wanted = tuple(languages)
    kept = {}
    for name, subset in manifest.subsets.items():
        tags = manifest.model_copy(update={"subsets": {name: subset}}).languages()
        if tags and all(any(names(language, tag) for language in wanted) for tag in tags):
            kept[name] = subset
    if not kept:
        return None
    counts = [subset.samples for subset in kept.values() if subset.samples is not None]
    samples = sum(counts) if len(counts) == len(kept) else manifest.samples
    return manifest.model_copy(update={"subsets": kept, "samples": samples})
