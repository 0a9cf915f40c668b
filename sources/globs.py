"""Glob patterns over slash-separated names: `*` and `?` match within a folder, `**` across folders, `[ab]` is a set."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[[^\]/]+\]|.", re.DOTALL)
_MEANING = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


@cache
def _compiled(glob: str) -> re.Pattern[str]:
    parts = []
    for token in _TOKEN.findall(glob):
        if len(token) > 1 and token.startswith("["):
            parts.append("[^" + token[2:] if token.startswith("[!") else token)
        else:
            parts.append(_MEANING.get(token) or re.escape(token))
    return re.compile("".join(parts), re.DOTALL)


_WILD = re.compile(r"[*?\[]")


def has_wildcard(glob: str) -> bool:
    """Tell whether a pattern may match several names."""
    return _WILD.search(glob) is not None


class Names:
    """A sorted list of file names that is searched by glob many times, as by every subset of a source.

    A glob is compared only with the names that start with its part before the first wildcard.

    >>> Names(["de/b.json", "de/a.json", "en/a.json"]).matching(["de/*.json", "en/a.json", "fr/*"])
    ['de/a.json', 'de/b.json', 'en/a.json']
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)
        self._known: dict[str, list[str]] = {}

    def __iter__(self) -> Iterator[str]:
        """Yield all names, sorted."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._names)

    def matching(self, globs: Iterable[str]) -> list[str]:
        """Return the names that match at least one of the globs, sorted."""
        return sorted({name for glob in globs for name in self._of(glob)})

    def _of(self, glob: str) -> list[str]:
        if glob not in self._known:
            prefix = _WILD.split(glob, maxsplit=1)[0]
            pattern, found = _compiled(glob), []
            for index in range(bisect_left(self._names, prefix), len(self._names)):
                if not self._names[index].startswith(prefix):
                    break
                if pattern.fullmatch(self._names[index]):
                    found.append(self._names[index])
            self._known[glob] = found
        return self._known[glob]


def any_match(name: str, globs: Iterable[str]) -> bool:
    """Tell whether at least one of the globs matches the whole name.

    >>> any_match("data/train-0.parquet", ["data/train-*"]), any_match("data/old/train-0.parquet", ["data/*"])
    (True, False)
    >>> any_match("a/b/c.json", ["**/*.json"]), any_match("c.json", ["**/*.json"])
    (True, True)
    """
    return any(_compiled(glob).fullmatch(name) for glob in globs)
