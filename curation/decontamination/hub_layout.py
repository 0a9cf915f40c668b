"""The files of a configuration and split of a dataset repository, found by its dataset card or by file names."""

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
"""Split → the words that mark it in file names (as in `datasets`); any other split is marked by its own name."""


@dataclass(frozen=True)
class Layout:
    """The data files of one repository.

    Attributes:
        names: names of all files.
        configs: configuration → split → globs, from the card's front matter; empty if the card declares none.

    """

    names: tuple[str, ...]
    configs: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def find(self, config: str | None, split: str) -> list[str]:
        """Return the files of a split, sorted; an empty list if the repository has no such configuration or split.

        Args:
            config: name of the configuration; None or `default` for a repository with a single one.
            split: name of the split. A configuration that declares a single split returns it under any name.

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
    except yaml.YAMLError:  # an unreadable card counts as one without front matter
        return {}
    return data if isinstance(data, dict) else {}


def _configs(front: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    configs: dict[str, dict[str, list[str]]] = {}
    listed = front.get("configs")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("data_files"):
            configs[str(entry.get("config_name", "default"))] = _splits(entry["data_files"], entry.get("data_dir"))
    return configs


def _splits(data_files: Any, folder: str | None) -> dict[str, list[str]]:
    """Return split → globs of one `data_files` entry, in any of its three forms; files without a split are `train`."""
    if isinstance(data_files, dict):
        pairs = list(data_files.items())
    elif isinstance(data_files, list) and data_files and isinstance(data_files[0], dict):
        pairs = [(part.get("split", "train"), part.get("path", [])) for part in data_files]
    else:
        pairs = [("train", data_files)]
    start = f"{folder.strip('/')}/" if folder else ""
    return {
        str(split): [start + glob.removeprefix("./") for glob in ([globs] if isinstance(globs, str) else globs)]
        for split, globs in pairs
    }


def _with_word(names: list[str], words: Iterable[str]) -> list[str]:
    """Return the names with one of the words as a folder or as the whole stem; if none, those with it as a part."""
    spelled = "|".join(map(re.escape, words))
    for pattern in (rf"(^|/)({spelled})(/|\.[a-z.0-9]+$)", rf"(^|[/_.-])({spelled})([/_.-]|$)"):
        matches = [name for name in names if re.search(pattern, name)]
        if matches:
            return matches
    return []


def _unsplit(names: list[str]) -> list[str]:
    """Return all names, or none if some names mark a split, since the requested split is then missing."""
    words = [word for spellings in _WORDS.values() for word in spellings]
    return [] if _with_word(names, words) else names
