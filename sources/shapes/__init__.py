"""Shapes: the recurring ways raw records become rows. A manifest names one; odd datasets have their own adapter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from open_ml_embed.core.errors import ManifestError
from open_ml_embed.core.registry import Registry
from open_ml_embed.core.validation_errors import refusal
from sources.manifest import Manifest, ShapeSpec
from sources.parts import Context


class Shape(Protocol):
    """What a module in `sources/shapes/` or `sources/adapters/`, or one of another distribution, offers."""

    PER_FILE: bool
    """True: looks at one record at a time, so every raw file is a part. False: needs the whole subset."""
    Args: type[BaseModel]
    """Arguments under `shape.args` of a manifest; extra ones are refused."""

    def drafts(self, context: Context, args: Any) -> Iterator[pa.Table]:
        """Yield tables in `DRAFT_SCHEMA`, in raw order."""
        ...


_SHAPES = (
    "bitext", "code", "conversation", "judged", "label", "nli", "pair", "paraphrase", "qa", "qrels", "sts",
)  # fmt: skip
_ADAPTERS = (
    "across_languages", "bitexts", "by_file", "clirmatrix", "debian", "debian_classes", "docstrings", "huatuo",
    "mediawiki", "message_tree", "problem_solutions", "python_answers", "transcript", "xcodeeval",
)  # fmt: skip
"""For one odd dataset, or a few."""
SHAPES: Registry[Shape] = Registry(
    "shape",
    "open_ml_embed.shapes",
    {name: f"sources.shapes.{name}" for name in _SHAPES} | {name: f"sources.adapters.{name}" for name in _ADAPTERS},
)


def kinds() -> list[str]:
    """Return the names a manifest may use, sorted."""
    return SHAPES.names()


def shape(kind: str, where: str = "") -> Shape:
    """Return the module of a shape or adapter; `where` is for the error.

    Raises:
        UnknownNameError: there is none.
        SettingsError: another distribution declares it, and it cannot be imported.

    """
    return SHAPES.get(kind, where=where)


def check_shape(manifest: Manifest) -> None:
    """Refuse a shape that is none, or arguments that it does not take, before a file is read.

    Args:
        manifest: bound to one subset.

    Raises:
        UnknownNameError: there is no such shape, or it has no such argument; the message has the nearest.
        ManifestError: an argument does not fit otherwise.

    """
    args = arguments(shape(manifest.shape.kind, f"{manifest.name}: shape.kind"), manifest)
    for name in type(args).model_fields:  # a shape may pass its records on to another
        if isinstance(inner := getattr(args, name), ShapeSpec):
            check_shape(manifest.model_copy(update={"shape": inner}))


def arguments(module: Shape, manifest: Manifest) -> BaseModel:
    """Check a manifest's shape arguments against the shape's model.

    Raises:
        UnknownNameError: the shape has no such argument.
        ManifestError: they do not fit otherwise.

    """
    try:
        return module.Args.model_validate(manifest.shape.args)
    except ValidationError as error:
        remedy = f"see the class Args of the shape {manifest.shape.kind}"
        raise refusal(
            error, module.Args, ManifestError, where=manifest.name, section="shape.args", what="argument", remedy=remedy
        ) from None
