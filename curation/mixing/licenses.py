"""Which of several licences asks the most: a sample that two sources hold is under that one."""

from __future__ import annotations

from collections.abc import Iterable

from sources.manifest import Licence

_FREE = ("CC0", "PDDL", "Unlicense", "0BSD", "WTFPL")
_ATTRIBUTION = ("Apache", "BSD", "CC-BY", "ISC", "MIT", "ODC-By")
_SHARE_ALIKE = ("CC-BY-SA", "CC-BY-NC-SA", "GPL", "LGPL", "AGPL", "GFDL", "ODbL")


def strictest(licences: Iterable[Licence]) -> Licence:
    """Return the licence that asks the most, the alphabet deciding between equals.

    What may not be passed on is stricter than what may not be sold, that than share-alike, that than attribution;
    terms that nobody has put into a class count as share-alike.
    """
    return max(licences, key=lambda licence: (*_demands(licence), licence.id))


def _demands(licence: Licence) -> tuple[bool, bool, int]:
    kind = 2
    if not licence.id.startswith(_SHARE_ALIKE) and licence.id.startswith((*_FREE, *_ATTRIBUTION)):
        kind = 0 if licence.id.startswith(_FREE) else 1
    return not licence.redistribution, not licence.commercial, kind
