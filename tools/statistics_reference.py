"""Writes docs/statistics.md from the models of every step's statistics: `python -m tools.statistics_reference`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.pipeline.statistics import OF_STEP
from tools.model_tables import cell, text_of, type_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "statistics.md"
HEAD = """# Statistics of the steps

Written from the models by `python -m tools.statistics_reference`; a test holds it to them, and the statistics of real
builds to the models.

The file of a step, `out/<profile>/steps/<step>.json`, has them under `stats`; from Python,
`curation.pipeline.statistics.statistics_of` returns them as objects, and `Model.model_json_schema()` gives the JSON
schema. Numbers are counts unless a row says otherwise.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for step, model in OF_STEP.items():
        schema = model.model_json_schema(by_alias=True)
        parts.append(f"## {step}\n\n{text_of(schema)}\n")
        for title, part in _models(schema):
            rows = [
                f"| `{name}` | {type_of(field, {})} | {cell(field.get('description', ''))} |"
                for name, field in part.get("properties", {}).items()
            ]
            heading = "" if part is schema else f"`{title}`: {text_of(part)}\n\n"
            parts.append("\n".join([f"{heading}| field | type | what it is |", "| --- | --- | --- |", *rows]) + "\n")
    return "\n".join(parts)


def _models(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (title, schema) of the model and of the statistics in it; settings are documented elsewhere."""
    yield schema["title"], schema
    for title, part in schema.get("$defs", {}).items():
        if not title.endswith(("Settings", "Trust")):
            yield title, part


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
