"""Writes docs/manifests.md from the models of manifests and of shapes: `python -m tools.manifest_reference`."""

from __future__ import annotations

import inspect
from pathlib import Path

from sources.formats import READERS
from sources.manifest import Manifest
from sources.shapes import kinds, shape
from tools.model_tables import sections

PAGE = Path(__file__).resolve().parent.parent / "docs" / "manifests.md"
HEAD = """# Manifests: one file a source

Written from the models by `python -m tools.manifest_reference`; a test holds it to them.

A source is `manifests/sources/NAME.yaml`: in the package, or in your project beside `params.yaml`.
[CONTRIBUTING](../CONTRIBUTING.md#how-to-add-a-source) shows how to write one, `curate sources new` drafts it, and
`curate sources check NAME` tries it. An unknown field is an error that tells the nearest.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD, *(part.replace("## ``", "## The file", 1) for part in sections(Manifest, ""))]
    formats = ", ".join(f"`{name}`" for name in READERS.names())
    parts.append(f"## Formats\n\n`tables.NAME.format` is one of {formats}.\n")
    parts.append("## Shapes\n\n`shape.kind` is one of these; the table of each has what `shape.args` takes.\n")
    for name in kinds():
        module = shape(name)
        about = " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split())
        _, *rest = sections(module.Args, name)
        parts.append(f"### `{name}`\n\n{about}\n")
        parts += [part.replace("## ", "#### ", 1) for part in rest if part.strip()]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
