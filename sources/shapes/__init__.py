"""Shapes: the common ways to turn raw records into rows. A manifest names one; unusual datasets have an adapter."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Protocol

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from open_ml_embed.core.errors import ManifestError
from open_ml_embed.core.registry import Registry
from open_ml_embed.core.validation_errors import refusal
from sources.manifest import Manifest, ShapeSpec
from sources.parts import Context


class Shape(Protocol):
    """Interface of a module in `sources/shapes/` or `sources/adapters/`, or in another distribution."""

    PER_FILE: bool
    """True: works record by record, so that every raw file is a part. False: needs the whole subset."""
    Args: type[BaseModel]
    """Model of the arguments under `shape.args` of a manifest; unknown arguments are errors."""

    def partners(self, args: Any, tables: Collection[str]) -> Collection[str]:
        """Return the tables that a pilot needs whole, because records of other files refer to theirs.

        Only a shape that needs the whole subset has this function; without it, all tables are needed whole.
        """
        ...

    def drafts(self, context: Context, args: Any) -> Iterator[pa.Table]:
        """Yield tables in `DRAFT_SCHEMA`, in the order of the raw records."""
        ...


_SHAPES = (
    "bitext", "code", "conversation", "documents", "judged", "label", "nli", "pair", "paraphrase", "qa", "qrels", "sts",
)  # fmt: skip
_ADAPTERS = (
    "across_languages", "bitexts", "by_file", "clirmatrix", "debian", "debian_classes", "dialogue", "docstrings",
    "huatuo", "instructed", "mediawiki", "message_tree", "multiple_choice", "problem_solutions", "python_answers",
    "released", "stated_labels", "transcript", "xcodeeval",
)  # fmt: skip
"""Shapes for one or a few unusual datasets."""
SHAPES: Registry[Shape] = Registry(
    "shape",
    "open_ml_embed.shapes",
    {name: f"sources.shapes.{name}" for name in _SHAPES} | {name: f"sources.adapters.{name}" for name in _ADAPTERS},
)


def kinds() -> list[str]:
    """Return the names of all shapes and adapters, sorted."""
    return SHAPES.names()


def shape(kind: str, where: str = "") -> Shape:
    """Return the module of a shape or adapter; `where` is the location for error messages.

    Raises:
        UnknownNameError: there is no such shape.
        SettingsError: another distribution declares it, but it cannot be imported.

    """
    return SHAPES.get(kind, where=where)


def partner_tables(manifest: Manifest) -> frozenset[str]:
    """Return the tables of a manifest of which a pilot cannot leave out files (`Shape.partners`)."""
    module = shape(manifest.shape.kind, manifest.name)
    if module.PER_FILE:
        return frozenset()
    if not hasattr(module, "partners"):
        return frozenset(manifest.tables)
    return frozenset(module.partners(arguments(module, manifest), manifest.tables))


def check_shape(manifest: Manifest) -> None:
    """Check the shape of a manifest and its arguments, before any file is read.

    Args:
        manifest: bound to one subset.

    Raises:
        UnknownNameError: there is no such shape, or it has no such argument; the message suggests the nearest names.
        ManifestError: an argument is invalid.

    """
    args = arguments(shape(manifest.shape.kind, f"{manifest.name}: shape.kind"), manifest)
    for name in type(args).model_fields:  # a shape may have an inner shape
        if isinstance(inner := getattr(args, name), ShapeSpec):
            check_shape(manifest.model_copy(update={"shape": inner}))


def arguments(module: Shape, manifest: Manifest) -> BaseModel:
    """Validate the arguments in a manifest against the model of its shape and return them.

    Raises:
        UnknownNameError: the shape has no such argument.
        ManifestError: an argument is invalid.

    """
    try:
        return module.Args.model_validate(manifest.shape.args)
    except ValidationError as error:
        remedy = f"see the class Args of the shape {manifest.shape.kind}"
        raise refusal(
            error, module.Args, ManifestError, where=manifest.name, section="shape.args", what="argument", remedy=remedy
        ) from None
