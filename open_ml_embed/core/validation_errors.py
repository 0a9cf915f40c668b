"""Converts pydantic's validation errors to this project's exceptions: first error, its location, nearest valid name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from open_ml_embed.core.errors import CorpusError, SettingsError, UnknownNameError

Model = TypeVar("Model", bound=BaseModel)
LONGEST_VALUE = 120
"""Most characters of an invalid value that a message quotes; the value may be a whole manifest."""


def refusal(
    error: ValidationError,
    model: type[BaseModel],
    kind: type[CorpusError],
    *,
    where: str,
    section: str = "",
    what: str = "field",
    remedy: str = "",
) -> CorpusError:
    """Convert the first error of a validation to an exception for users.

    Args:
        error: what pydantic raised.
        model: the model whose validation failed.
        kind: class of the exception, unless it is an unknown name.
        where: the file or profile.
        section: the section of the file that the model describes, as `train`; may be empty.
        what: noun for a field of the model in messages.
        remedy: used if there is no more specific one.

    Returns:
        `UnknownNameError` with the nearest names for an unknown field or a value outside a closed list, else `kind`.

    """
    first = error.errors()[0]
    loc = first["loc"]
    path = ".".join([*([section] if section else []), *map(str, loc)])
    where = f"{where}: {path}" if path else where
    if first["type"] == "extra_forbidden":
        return UnknownNameError(what, str(loc[-1]), set(_fields_at(model, loc[:-1])), where=where)
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        valid = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        named = next((str(part) for part in reversed(loc) if isinstance(part, str)), what)  # not the place in a list
        return UnknownNameError(named, first["input"], valid, where=where)
    if first["type"] == "missing":
        return kind(f"the {what} {str(loc[-1])!r} is missing", where=where, remedy=remedy)
    fault = first.get("ctx", {}).get("error")
    if isinstance(fault, UnknownNameError):  # a validator's own, which pydantic catches as it does every `ValueError`
        fault.where = f"{where}{'.' if path else ': '}{fault.where}" if fault.where else where
        return fault
    given = repr(first["input"])
    given = given if len(given) <= LONGEST_VALUE else f"{given[: LONGEST_VALUE - 1]}…"
    return kind(f"{first['msg']} (got {given})", where=where, remedy=remedy)


def from_arguments(model: type[Model], function: str, values: Mapping[str, object]) -> Model:
    """Make settings from the arguments of a function.

    Args:
        model: of the settings.
        function: its name, for errors.
        values: by the names of the model's fields.

    Raises:
        SettingsError: a value that the model refuses; `UnknownNameError` where it is outside a closed list.

    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise refusal(error, model, SettingsError, where=function, what="argument") from None


def _fields_at(annotation: object, loc: tuple[int | str, ...]) -> Iterator[str]:
    """Yield the field names of the models at location `loc` below a type.

    A location also contains tags of union members, keys of mappings and indices of lists, which are not fields.
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not loc:
            yield from annotation.model_fields
        elif loc[0] in annotation.model_fields:
            yield from _fields_at(annotation.model_fields[str(loc[0])].annotation, loc[1:])
        else:
            yield from _fields_at(annotation, loc[1:])
        return
    below = loc[1:] if get_origin(annotation) in (dict, list, tuple) else loc
    for part in get_args(annotation):
        yield from _fields_at(part, below)
