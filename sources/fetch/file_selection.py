"""Selects the files of an origin that match a table's globs, with a helpful error if none does."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from open_ml_embed.core.errors import FetchError
from sources.globs import Names, any_match

CONVERTED = "refs/convert/parquet"
"""The branch of the Hub's automatic Parquet conversion of a dataset, if it exists."""


def matching(names: Iterable[str], globs: list[str], *, where: str, most: int | None = None) -> list[str]:
    """Return the names that match the globs, sorted, at most `most` of them.

    Args:
        names: file names of the origin; `Names` if they are searched for many subsets.
        globs: patterns (`sources.globs`); a name must match at least one.
        where: location for error messages.
        most: most names to return; None: all.

    Raises:
        FetchError: no name matches (the message lists the nearest names), or the matches are a partial conversion.

    """
    names = names if isinstance(names, Names) else Names(names)
    matches = names.matching(globs)
    # The Hub's conversion stops at 5 GB; the folders of such partial conversions are named `partial-…`.
    partial = [name for name in matches or names if "/partial-" in f"/{name}"]
    if partial and (matches or any(any_match(name.replace("partial-", "", 1), globs) for name in partial)):
        raise FetchError(
            f"only a part of the dataset is there: {partial[0]}",
            where=where,
            remedy="name files of the main branch in the manifest, or a mirror that has them all; or convert the "
            "dataset yourself, put the files into <local_root>/<repository>, and set `sources.local_root`",
        )
    if not matches:
        raise FetchError(
            f"no file matches {' or '.join(globs)}",
            where=where,
            remedy=f"nearest names: {', '.join(_nearest(list(names), globs)) or 'none, it is empty'}; "
            "correct `files` in the manifest, or pin the revision that has them",
        )
    return matches[:most]


def _nearest(names: list[str], globs: list[str]) -> list[str]:
    plain = {name.lower(): name for name in reversed(names)}
    near = [plain[match] for glob in globs for match in difflib.get_close_matches(glob.lower(), plain, n=5, cutoff=0.4)]
    return list(dict.fromkeys(near))[:5] or names[:5]
