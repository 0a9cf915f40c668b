"""Model files (`.lid`): arrays and metadata in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from open_ml_embed.core.array_types import Array
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.json_text import loads


def write_model(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, object]) -> None:
    """Write a model; equal content gives equal bytes.

    Args:
        path: the file.
        tensors: name → array.
        metadata: JSON values, `version` among them; written as one entry, since safetensors writes several in no fixed
            order.

    """
    from safetensors.numpy import save_file

    save_file(dict(tensors), path, metadata={"model": json.dumps(metadata)})
    path.chmod(0o644)


def read_model(
    path: Path, names: Sequence[str], *, version: int, what: str, remedy: str
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read a model: (metadata, name → array).

    Args:
        path: the file.
        names: of the arrays to read.
        version: that the model must have.
        what: the kind of the model, for messages.
        remedy: what to do if the file is missing or no model.

    Raises:
        SettingsError: the file is missing, or is not a model of this version.

    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = loads((file.metadata() or {}).get("model", "{}"))
            if metadata.get("version") != version:
                raise SettingsError(f"not a {what} of version {version}", where=str(path), remedy="train it again")
            return metadata, {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise SettingsError(f"no {what}: {error}", where=str(path), remedy=remedy) from None
