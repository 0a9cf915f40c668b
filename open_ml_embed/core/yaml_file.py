"""Reads the YAML files that users write (manifests, mixes, settings). Duplicate keys are errors."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from open_ml_embed.core.errors import CorpusError

if TYPE_CHECKING:
    from yaml import SafeLoader as _Base
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


MOST_LEVELS = 100
"""Levels of nesting; the deepest manifest has nine."""
_INDENTATION = re.compile(rb"^[\s?:-]+", re.MULTILINE)
MOST_VALUES = 1_000_000
"""Values of a file, each alias counted with what it stands for; the largest manifest has a few thousand."""


class _Loader(_Base):
    """Loader that refuses duplicate keys; PyYAML's own loaders silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 (PyYAML's)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands there a second time", key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, kind: type[CorpusError], *, remedy: str = "") -> Any:
    """Read a YAML file.

    Args:
        path: the file.
        kind: class of the exception to raise.
        remedy: what to do if the file does not exist.

    Raises:
        CorpusError: of class `kind`: no such file, not YAML (with the line), a duplicate key in a mapping, an
            impossible date or number, or aliases that make it endless or huge.

    """
    try:
        return parse_yaml(path.read_bytes())
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = "no such file" if missing else f"cannot be read: {error.strerror}"
        raise kind(what, where=str(path), remedy=remedy if missing else "") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise kind(f"not YAML: {error.problem}", where=f"{path}{line}", remedy="correct the line") from None
    except yaml.YAMLError as error:
        raise kind(f"not YAML: {error}", where=str(path), remedy="write the file as UTF-8") from None
    except RecursionError:
        raise kind("nested too deeply", where=str(path), remedy="correct the brackets and the indentation") from None
    except (ValueError, TypeError, OverflowError) as error:  # as a date that is none: 2024-13-45
        raise kind(f"a value is impossible: {error}", where=str(path), remedy="correct it, or quote it") from None


def parse_yaml(text: bytes) -> Any:
    """Parse YAML of anyone.

    Raises:
        yaml.YAMLError: it is none, or a mapping has a key twice.
        RecursionError: it is nested too deeply.
        ValueError, TypeError, OverflowError: a value is impossible, or aliases make the data endless or huge.

    """
    _check_depth(text)
    data = yaml.load(text, _Loader)  # noqa: S506 (derived from the safe one)
    _check_size(data)
    return data


def _check_depth(text: bytes) -> None:
    """Raise a RecursionError if a file is nested too deeply; libyaml would crash the process.

    Nesting needs brackets, or an indentation that grows by a character a level. Most files have too few of both, and
    are not parsed a second time.
    """
    brackets = text.count(b"[") + text.count(b"{")
    indented = max((len(found[0]) for found in _INDENTATION.finditer(text)), default=0)
    if brackets + indented <= MOST_LEVELS:
        return
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_LEVELS:
            raise RecursionError


def _check_size(data: Any) -> None:
    """Raise a ValueError if aliases make the data endless, or large when they are followed."""
    sizes: dict[int, int | None] = {}
    todo: list[tuple[Any, bool]] = [(data, False)]
    while todo:
        value, is_last = todo.pop()
        if not isinstance(value, (dict, list, tuple, set)):
            continue
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
        if is_last:
            size = 1 + sum(sizes.get(id(part)) or 1 for part in parts)
            if size > MOST_VALUES:
                raise ValueError(f"with its aliases the file holds more than {MOST_VALUES:,} values")
            sizes[id(value)] = size
        elif id(value) not in sizes:
            sizes[id(value)] = None
            todo += [(value, True), *((part, False) for part in parts)]
        elif sizes[id(value)] is None:
            raise ValueError("an alias stands within what it names")
