"""What licenses permit, and the strictest of several.

A sample that occurs in several sources gets the strictest of their licenses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sources.manifest import License

_FREE = ("CC0", "PDDL", "Unlicense", "0BSD", "WTFPL")
_ATTRIBUTION = ("Apache", "BSD", "CC-BY", "ISC", "MIT", "ODC-By")
_SHARE_ALIKE = ("CC-BY-SA", "CC-BY-NC-SA", "GPL", "LGPL", "AGPL", "GFDL", "ODbL")


def strictest(licenses: Iterable[License]) -> License:
    """Return the strictest license; between equals, the last one by identifier.

    From strict to free: no redistribution, no commercial use, share-alike, attribution, no conditions. A license that
    is not in the lists of this module counts as share-alike.
    """
    return max(licenses, key=lambda license: (*_demands(license), license.id))


def permitted(license: License, allows: Iterable[str], ids: Collection[str] = ()) -> bool:
    """Tell whether a license allows some uses, and is one of some.

    Args:
        license: of a source.
        allows: `commercial`, `redistribution`: all of them must be allowed.
        ids: identifiers, one of which it must have; none: any.

    """
    return all(getattr(license, use) for use in allows) and (not ids or license.id in ids)


def _demands(license: License) -> tuple[bool, bool, int]:
    kind = 2
    if not license.id.startswith(_SHARE_ALIKE) and license.id.startswith((*_FREE, *_ATTRIBUTION)):
        kind = 0 if license.id.startswith(_FREE) else 1
    return not license.redistribution, not license.commercial, kind
