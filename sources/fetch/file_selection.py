"""Which of an origin's files a table means, and a helpful answer when it is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from open_ml_embed.core.errors import FetchError
from sources.globs import any_match

CONVERTED = "refs/convert/parquet"
"""The branch where the Hub puts its conversion of a dataset, if it has made one."""


def matching(names: Iterable[str], globs: list[str], *, where: str, most: int | None = None) -> list[str]:
    """Return the names that the globs cover, sorted, at most `most` of them.

    Raises:
        FetchError: none matches (the message lists the nearest names), or what matches is a partial conversion.

    """
    names = sorted(names)
    found = [name for name in names if any_match(name, globs)]
    # The Hub's conversion branch cuts large datasets at 5 GB, in folders whose name says so.
    partial = [name for name in found or names if "/partial-" in f"/{name}"]
    if partial and (found or any(any_match(name.replace("partial-", "", 1), globs) for name in partial)):
        raise FetchError(
            f"only a part of the dataset is there: {partial[0]}",
            where=where,
            remedy="name files of the main branch in the manifest, or a mirror that has them all; or convert the "
            "dataset yourself, put the files into <local_root>/<repository>, and set `sources.local_root`",
        )
    if not found:
        raise FetchError(
            f"no file matches {' or '.join(globs)}",
            where=where,
            remedy=f"nearest names: {', '.join(_nearest(names, globs)) or 'none, it is empty'}; "
            "correct `files` in the manifest, or pin the revision that has them",
        )
    return found[:most]


def _nearest(names: list[str], globs: list[str]) -> list[str]:
    plain = {name.lower(): name for name in reversed(names)}
    near = [plain[found] for glob in globs for found in difflib.get_close_matches(glob.lower(), plain, n=5, cutoff=0.4)]
    return list(dict.fromkeys(near))[:5] or names[:5]
