"""Which files of a dataset repository a configuration and a split are: by its card, or by the names of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from sources.globs import any_match

_DATA = re.compile(r"\.(parquet|jsonl?|csv|tsv)(\.(gz|bz2|xz))?$")
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "dev": ("dev", "validation", "valid", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split → the words by which file names say it (as `datasets` has them); any other split is its own word."""


@dataclass(frozen=True)
class Layout:
    """The data files of one repository.

    Attributes:
        names: of all files.
        configs: configuration → split → globs, as the card's front matter says; empty where it says nothing.

    """

    names: tuple[str, ...]
    configs: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def find(self, config: str | None, split: str) -> list[str]:
        """Return the files of a split, sorted; none where the repository has no such configuration.

        Args:
            config: its name; null or `default` where a repository has but one.
            split: its name. A configuration with a single split gives that one, whatever it is called.

        """
        if config in self.configs:
            return self._declared(self.configs[str(config)], split)
        if config in (None, "default") and len(self.configs) == 1:
            return self._declared(next(iter(self.configs.values())), split)
        data = [name for name in self.names if _DATA.search(name)]
        if config not in (None, "default"):
            data = _with_word(data, [str(config)])
        return _with_word(data, _WORDS.get(split, (split,))) or _unsplit(data)

    def _declared(self, splits: dict[str, list[str]], split: str) -> list[str]:
        globs = splits.get(split) or (next(iter(splits.values())) if len(splits) == 1 else [])
        return sorted(name for name in self.names if any_match(name, globs))


def layout_of(names: Iterable[str], card: str = "") -> Layout:
    """Read the layout of a repository from its file names and the text of its card."""
    return Layout(tuple(sorted(names)), _configs(_front_matter(card)))


def _front_matter(card: str) -> dict[str, Any]:
    match = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", card, re.DOTALL)
    if match is None:
        return {}
    try:
        data = yaml.load(match[1], getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
    except yaml.YAMLError:  # a card that nobody can read says nothing
        return {}
    return data if isinstance(data, dict) else {}


def _configs(front: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    listed = front.get("configs")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("data_files"):
            found[str(entry.get("config_name", "default"))] = _splits(entry["data_files"], entry.get("data_dir"))
    return found


def _splits(said: Any, folder: str | None) -> dict[str, list[str]]:
    """Return split → globs of one `data_files` entry in any of its spellings; files without a split are `train`."""
    if isinstance(said, dict):
        pairs = list(said.items())
    elif isinstance(said, list) and said and isinstance(said[0], dict):
        pairs = [(part.get("split", "train"), part.get("path", [])) for part in said]
    else:
        pairs = [("train", said)]
    start = f"{folder.strip('/')}/" if folder else ""
    return {
        str(split): [start + glob.removeprefix("./") for glob in ([globs] if isinstance(globs, str) else globs)]
        for split, globs in pairs
    }


def _with_word(names: list[str], words: Iterable[str]) -> list[str]:
    """Return the names that have one of the words as a folder or as the whole stem, or else as a part of one."""
    spelled = "|".join(map(re.escape, words))
    for pattern in (rf"(^|/)({spelled})(/|\.[a-z.0-9]+$)", rf"(^|[/_.-])({spelled})([/_.-]|$)"):
        found = [name for name in names if re.search(pattern, name)]
        if found:
            return found
    return []


def _unsplit(names: list[str]) -> list[str]:
    """Return the names unless they tell splits apart: then the one asked for is not among them."""
    words = [word for spellings in _WORDS.values() for word in spellings]
    return [] if _with_word(names, words) else names
