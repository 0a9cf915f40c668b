"""The dataset card of a repository or folder: the YAML front matter of README.md, and a BibTeX entry in its text."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

from open_ml_embed.core.yaml_file import parse_yaml

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_ENTRY = re.compile(r"@(?!misc\{?\s*$)\w+\s*\{\s*[^,\s]+\s*,(.*?)\n\s*\}", re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+)\s*=\s*[{\"]+(.*?)[}\"]+\s*,?\s*$", re.MULTILINE)

_OPEN = {
    "apache-2.0": "Apache-2.0", "mit": "MIT", "cc0-1.0": "CC0-1.0", "cc-by-2.0": "CC-BY-2.0", "cc-by-2.5": "CC-BY-2.5",
    "cc-by-3.0": "CC-BY-3.0", "cc-by-4.0": "CC-BY-4.0", "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc-by-sa-4.0": "CC-BY-SA-4.0",
    "odc-by": "ODC-By-1.0", "odbl": "ODbL-1.0", "pddl": "PDDL-1.0", "unlicense": "Unlicense",
    "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "gpl-3.0": "GPL-3.0-only",
    "cdla-permissive-1.0": "CDLA-Permissive-1.0", "cdla-permissive-2.0": "CDLA-Permissive-2.0",
    "cdla-sharing-1.0": "CDLA-Sharing-1.0",
}  # fmt: skip
"""License in a card → SPDX identifier, for licenses that allow commercial use and redistribution."""
_NON_COMMERCIAL = {
    "cc-by-nc-2.0": "CC-BY-NC-2.0", "cc-by-nc-3.0": "CC-BY-NC-3.0", "cc-by-nc-4.0": "CC-BY-NC-4.0",
    "cc-by-nc-sa-2.0": "CC-BY-NC-SA-2.0", "cc-by-nc-sa-3.0": "CC-BY-NC-SA-3.0", "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0",
}  # fmt: skip


@dataclass(frozen=True)
class Card:
    """A dataset card.

    Attributes:
        front: its front matter; empty if it has none, or none that can be read.
        body: the text after it.

    """

    front: dict[str, Any] = field(default_factory=dict)
    body: str = ""

    @property
    def title(self) -> str:
        """The title of the dataset; empty if the card states none."""
        return _text(self.front.get("pretty_name"))

    @property
    def languages(self) -> list[str]:
        """Language codes, as written in the card."""
        stated = self.front.get("language", self.front.get("languages"))
        return [_text(one) for one in _list(stated) if _text(one)]

    def license(self) -> tuple[dict[str, Any], str]:
        """Return the manifest's section `license`, and how it was found.

        If the card states no license, or one that is not in the lists above, the section allows nothing, until a person
        has read the terms.
        """
        stated = self.front.get("license")
        names = [_text(one).lower() for one in _list(stated) if _text(one)]
        if len(names) == 1 and names[0] in _OPEN:
            return {"id": _OPEN[names[0]], "commercial": True, "redistribution": True}, f"the card says {names[0]}"
        if len(names) == 1 and names[0] in _NON_COMMERCIAL:
            section = {"id": _NON_COMMERCIAL[names[0]], "commercial": False, "redistribution": True}
            return section, f"the card says {names[0]}"
        known = len(names) == 1 and names[0] not in ("other", "unknown")
        plain = re.sub(r"[^A-Za-z0-9.+-]", "-", names[0]).strip("-.+") if known else ""
        section = {"id": f"LicenseRef-{plain or 'unspecified'}", "commercial": False, "redistribution": False}
        wording = f"the card says {', '.join(names)}" if names else "no license is stated"
        return section, f"{wording}; read the terms before allowing any use"

    def citation(self) -> str:
        """Return author, year and title of the first BibTeX entry; empty if the card has none."""
        text = _text(self.front.get("citation")) or self.body
        if (entry := _ENTRY.search(text)) is None:
            return " ".join(_text(self.front.get("citation")).split())
        fields = {name.lower(): re.sub(r"[{}\\]", "", value) for name, value in _FIELD.findall(entry[1])}
        authors = re.split(r"\s+and\s+", fields.get("author", ""))
        first = authors[0].partition(",")[0] if "," in authors[0] else authors[0].rpartition(" ")[2]
        who = f"{first} et al." if len(authors) > 1 else first
        return ", ".join(
            piece for piece in (f"{who} {fields.get('year', '')}".strip(), fields.get("title", "")) if piece
        )

    def data_files(self) -> list[str]:
        """Return the globs of the train split of the default (or first) configuration; empty if the card has none."""
        configs = [one for one in _list(self.front.get("configs")) if isinstance(one, dict)]
        configs.sort(key=lambda one: not (one.get("default") or one.get("config_name") == "default"))
        for config in configs[:1]:
            files = config.get("data_files")
            if isinstance(files, str):
                return [files]
            for one in _list(files):
                if isinstance(one, dict) and one.get("split") == "train":
                    return [_text(path) for path in _list(one.get("path"))]
        return []

    def examples(self) -> int | None:
        """Return the number of records of the train split, if the card states it for exactly one configuration."""
        infos = [one for one in _list(self.front.get("dataset_info")) if isinstance(one, dict)]
        counts = [
            split.get("num_examples")
            for info in infos
            for split in _list(info.get("splits"))
            if isinstance(split, dict) and split.get("name") == "train"
        ]
        return counts[0] if len(counts) == 1 and isinstance(counts[0], int) else None

    def class_names(self, column: str) -> dict[str, str]:
        """Return raw label → name of a column of class labels; empty if the card does not state them."""
        for info in _list(self.front.get("dataset_info")):
            for one in _list(info.get("features")) if isinstance(info, dict) else []:
                kind = one.get("dtype") if isinstance(one, dict) and one.get("name") == column else None
                names = kind.get("class_label", {}).get("names") if isinstance(kind, dict) else None
                if isinstance(names, dict):
                    return {str(key): str(value) for key, value in names.items()}
                if isinstance(names, list):
                    return {str(key): str(value) for key, value in enumerate(names)}
        return {}


def read_card(text: str) -> Card:
    r"""Read a README.md; front matter that is not YAML counts as none.

    >>> read_card("---\nlicense: mit\nlanguage: [de]\n---\n# Laws").languages
    ['de']
    """
    match = _FRONT.match(text)
    if match is None:
        return Card({}, text)
    front: object = None
    with suppress(yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError):
        front = parse_yaml(match[1].encode("utf-8", "replace"))
    return Card(front if isinstance(front, dict) else {}, text[match.end() :])


def _text(value: object) -> str:
    if value is False:  # YAML reads the code of Norwegian, `no`, as false
        return "no"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
