"""Which of several licenses asks the most: a sample that two sources hold is under that one."""

from __future__ import annotations

from collections.abc import Iterable

from sources.manifest import License

_FREE = ("CC0", "PDDL", "Unlicense", "0BSD", "WTFPL")
_ATTRIBUTION = ("Apache", "BSD", "CC-BY", "ISC", "MIT", "ODC-By")
_SHARE_ALIKE = ("CC-BY-SA", "CC-BY-NC-SA", "GPL", "LGPL", "AGPL", "GFDL", "ODbL")


def strictest(licenses: Iterable[License]) -> License:
    """Return the license that asks the most, the alphabet deciding between equals.

    What may not be passed on is stricter than what may not be sold, that than share-alike, that than attribution;
    terms that nobody has put into a class count as share-alike.
    """
    return max(licenses, key=lambda license: (*_demands(license), license.id))


def _demands(license: License) -> tuple[bool, bool, int]:
    kind = 2
    if not license.id.startswith(_SHARE_ALIKE) and license.id.startswith((*_FREE, *_ATTRIBUTION)):
        kind = 0 if license.id.startswith(_FREE) else 1
    return not license.redistribution, not license.commercial, kind
