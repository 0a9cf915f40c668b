"""Hooks of mkdocs: the files at the top of the repository become pages, and links to code become its path."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "index.md", **{name: name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")}}
"""File at the top → the page."""
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
_IMAGE = re.compile(r"(!\[[^\]]*\]\()docs/")
_FENCE = re.compile(r"(```.*?\n```|~~~.*?\n~~~)", re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Return the text with links that lead to pages of the site, or to nothing where they were to code."""
    folder = "" if page.file.src_uri in PAGES.values() else "docs"
    known = {file.src_uri for file in files}
    parts = _FENCE.split(markdown)
    return "".join(part if i % 2 else _linked(part, folder, known) for i, part in enumerate(parts))


def _linked(text: str, folder: str, known: set[str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        label, path, anchor = match[1], posixpath.normpath(posixpath.join(folder, match[2])), match[3] or ""
        target = PAGES.get(path, path.removeprefix("docs/"))
        if target in known and (path in PAGES or path.startswith("docs/")):
            return f"[{label}]({target}{anchor})"
        if not (ROOT / path).exists():
            return match[0]  # mkdocs says that it is broken
        return label if path in label else f"{label} (`{path}`)"

    return _IMAGE.sub(r"\1", _LINK.sub(replaced, text))
