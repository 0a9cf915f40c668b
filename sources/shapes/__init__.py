"""Shapes: the recurring ways raw records become rows. A manifest names one; odd datasets have their own adapter."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Protocol

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.validation_errors import refusal
from sources.manifest import Manifest, ShapeSpec
from sources.parts import Context

_HOMES = ("sources.shapes", "sources.adapters")
_HELPERS = {"columns"}


class Shape(Protocol):
    """What a module in `sources/shapes/` or `sources/adapters/` offers."""

    PER_FILE: bool
    """True: looks at one record at a time, so every raw file is a part. False: needs the whole subset."""
    Args: type[BaseModel]
    """Arguments under `shape.args` of a manifest; extra ones are refused."""

    def drafts(self, context: Context, args: Any) -> Iterator[pa.Table]:
        """Yield tables in `DRAFT_SCHEMA`, in raw order."""
        ...


def kinds() -> list[str]:
    """Return the names a manifest may use, sorted."""
    return sorted(
        info.name
        for home in _HOMES
        for info in pkgutil.iter_modules(import_module(home).__path__)
        if info.name not in _HELPERS
    )


def shape(kind: str, where: str = "") -> Shape:
    """Return the module of a shape, or of an adapter where no shape has that name; `where` is for the error.

    Raises:
        UnknownNameError: neither exists.

    """
    for home in _HOMES:
        if kind not in _HELPERS and kind.isidentifier():
            try:
                return import_module(f"{home}.{kind}")
            except ModuleNotFoundError as error:
                if error.name != f"{home}.{kind}":
                    raise
    raise UnknownNameError("shape", kind, kinds(), where=where)


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
