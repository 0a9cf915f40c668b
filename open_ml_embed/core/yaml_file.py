"""Reading the YAML files that people write (manifests, mixes, settings): one way for all, and no key twice."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from open_ml_embed.core.errors import CorpusError

if TYPE_CHECKING:
    from yaml import SafeLoader as _Base
else:
    _Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """YAML's own loader keeps the last of two equal keys without a word; here the second is an error."""

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
        kind: the error to raise.
        remedy: what to do where there is no such file.

    Raises:
        CorpusError: of that kind: no such file, not YAML (with the line), or a mapping that has a key twice.

    """
    try:
        return yaml.load(path.read_bytes(), _Loader)  # noqa: S506 (derived from the safe one)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = "no such file" if missing else f"cannot be read: {error.strerror}"
        raise kind(what, where=str(path), remedy=remedy if missing else "") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise kind(f"not YAML: {error.problem}", where=f"{path}{line}", remedy="correct the line") from None
    except yaml.YAMLError as error:
        raise kind(f"not YAML: {error}", where=str(path)) from None
