"""What pydantic refuses, in this project's words: the first fault, where it stands, and the nearest right name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from open_ml_embed.core.errors import CorpusError, SettingsError, UnknownNameError

Model = TypeVar("Model", bound=BaseModel)
LONGEST_VALUE = 120
"""Characters of a refused value that a message repeats: it may be a whole manifest."""


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
    """Turn the first thing that a model refuses into an error for people.

    Args:
        error: what pydantic raised.
        model: the model that refused.
        kind: of the error, unless it is an unknown name.
        where: the file or profile.
        section: of it that the model describes, as `train`; may be empty.
        what: what a field is called there.
        remedy: where there is no better one.

    Returns:
        `UnknownNameError` with the nearest names for an unknown field or a value outside a closed list, else `kind`.

    """
    first = error.errors()[0]
    loc = first["loc"]
    place = ".".join([*([section] if section else []), *map(str, loc)])
    where = f"{where}: {place}" if place else where
    if first["type"] == "extra_forbidden":
        return UnknownNameError(what, str(loc[-1]), set(_fields_at(model, loc[:-1])), where=where)
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        valid = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        return UnknownNameError(str(loc[-1]), first["input"], valid, where=where)
    if first["type"] == "missing":
        return kind(f"the {what} {str(loc[-1])!r} is missing", where=where, remedy=remedy)
    fault = first.get("ctx", {}).get("error")
    if isinstance(fault, UnknownNameError):  # a validator's own, which pydantic catches as it does every `ValueError`
        fault.where = f"{where}{'.' if place else ': '}{fault.where}" if fault.where else where
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
    """Yield the fields of the models that stand at `loc` below a type.

    A place has the tag of a union's member, the key of a mapping and the index of a list in it; none is a field.
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
