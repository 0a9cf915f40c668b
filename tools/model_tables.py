"""Markdown tables of pydantic models: a row for each field, with its type, its default and what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_NO_DEFAULT = "required"


def sections(model: type[BaseModel], path: str) -> Iterator[str]:
    """Yield the Markdown of a model and of every model in it: heading by dotted path, docstring, table of fields.

    A model in a list has `[]` behind its path, one in a mapping `.NAME`; of several kinds, each has its own heading.

    Raises:
        LookupError: a field has no docstring and is no section.

    """
    schema = model.model_json_schema(by_alias=True)
    yield from _section(schema, schema.get("$defs", {}), path, "")


def _section(schema: dict[str, Any], known: dict[str, Any], path: str, kind: str) -> Iterator[str]:
    title = f"`{path}`" + (f", kind `{kind}`" if kind else "")
    yield f"## {title}\n\n{text_of(schema)}\n"
    needed = schema.get("required", [])
    rows = ["| setting | type | default | what it is |", "| --- | --- | --- | --- |"]
    inner = []
    for name, field in schema.get("properties", {}).items():
        if kind and name == "kind":
            continue
        models = list(_models(field, known))
        inner += [(f"{path}.{name}{suffix}" if path else f"{name}{suffix}", model) for suffix, model in models]
        what = text_of(field) or (text_of(models[0][1]) if models else "")
        if not what:
            raise LookupError(f"{path}.{name} has no docstring")
        default = _NO_DEFAULT if name in needed else _default(field, is_section=bool(models))
        rows.append(f"| `{name}` | {cell(type_of(field, known))} | {cell(default)} | {cell(what)} |")
    yield "\n".join(rows) + "\n"
    for inner_path, model in inner:
        of_kind = model.get("properties", {}).get("kind", {}).get("const", "")
        yield from _section(model, known, inner_path, of_kind)


def _models(field: dict[str, Any], known: dict[str, Any], suffix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (suffix of the path, schema) of the models in a field."""
    if "$ref" in field:
        model = known[field["$ref"].rpartition("/")[2]]
        if "properties" in model:
            yield suffix, model
    for option in [*field.get("anyOf", []), *field.get("oneOf", [])]:
        yield from _models(option, known, suffix)
    if isinstance(field.get("items"), dict):
        yield from _models(field["items"], known, f"{suffix}[]")
    if isinstance(field.get("additionalProperties"), dict):
        yield from _models(field["additionalProperties"], known, f"{suffix}.NAME")


def text_of(schema: dict[str, Any]) -> str:
    """Return a description as one paragraph."""
    return " ".join(schema.get("description", "").split())


def cell(text: str) -> str:
    """Return a text as the content of a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def type_of(field: dict[str, Any], known: dict[str, Any]) -> str:
    """Return a type of the schema as a short phrase; a model that is not among the known ones is named."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        if name not in known:
            return f"`{name}`"
        return "section" if "properties" in known[name] else type_of(known[name], known)
    options = [*field.get("anyOf", []), *field.get("oneOf", [])]
    if options:
        return " or ".join(dict.fromkeys(type_of(option, known) for option in options))
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    return _plain(field, known)


def _plain(field: dict[str, Any], known: dict[str, Any]) -> str:
    kind = field.get("type", "any")
    if kind == "object":
        inside = field.get("additionalProperties")
        return f"mapping to {type_of(inside, known)}" if isinstance(inside, dict) and inside else "mapping"
    if kind == "array":
        if "prefixItems" in field:
            return f"[{', '.join(type_of(item, known) for item in field['prefixItems'])}]"
        return f"list of {type_of(field.get('items', {}), known)}"
    bounds = [f"{sign} {field[name]:g}" for name, sign in _BOUNDS.items() if name in field]
    name = {"string": "text", "boolean": "true or false"}.get(kind, kind)
    return f"{name} {' and '.join(bounds)}" if bounds else name


def _default(field: dict[str, Any], *, is_section: bool) -> str:
    value = field.get("default")
    if is_section and isinstance(value, dict | list) and value:
        return "its defaults"
    return f"`{json.dumps(value, ensure_ascii=False)}`" if "default" in field else ""
