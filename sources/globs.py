"""Glob patterns over slash-separated names: `*` and `?` match within a folder, `**` across folders, `[ab]` is a set."""

from __future__ import annotations

import re
from collections.abc import Iterable
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


def any_match(name: str, globs: Iterable[str]) -> bool:
    """Tell whether at least one of the globs matches the whole name.

    >>> any_match("data/train-0.parquet", ["data/train-*"]), any_match("data/old/train-0.parquet", ["data/*"])
    (True, False)
    >>> any_match("a/b/c.json", ["**/*.json"]), any_match("c.json", ["**/*.json"])
    (True, True)
    """
    return any(_compiled(glob).fullmatch(name) for glob in globs)
