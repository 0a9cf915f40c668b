"""A folder beside an export that llama.cpp's converter reads.

`convert_hf_to_gguf.py` recognizes a tokenizer by the hash of what it makes of a fixed text. An export's tokenizer ends
texts itself, so its hash is not that of the backbone, and the converter refuses it. In this folder the tokenizer is as
the backbone has it, and a flag says that texts end with the end-of-text token, which the converter writes into the
GGUF file.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import whole_folder, write_whole
from open_ml_embed.core.json_text import loads
from train.model.architectures import architecture_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FOLDER = "gguf"
SHARED = ("config.json", "modules.json", "1_Pooling/config.json", "model*.safetensors", "model.safetensors.index.json")
"""Files that are the export's own."""


def write_gguf_folder(folder: Path, *, dim: int, config: PretrainedConfig, mode: str) -> Path:
    """Write `gguf/` into an export; weights are hard links where the file system has them.

    Args:
        folder: an export.
        dim: dimensions of its vectors.
        config: configuration of the backbone.
        mode: mode of the export.

    Returns:
        The folder, for `convert_hf_to_gguf.py`.

    Raises:
        SettingsError: a GGUF file cannot hold this export.

    """
    if architecture_of(config).encoder:
        # The converter writes their first token and their separator itself, from other files for each kind.
        raise SettingsError(
            f"the folder for llama.cpp is for decoders, not for {config.model_type}",
            where="--gguf",
            remedy="export without --gguf",
        )
    if mode != "compatible" or dim != config.hidden_size:
        raise SettingsError(
            "a GGUF file holds no factors of the token embedding, and vectors of the full width only",
            where="--gguf",
            remedy="export with --mode compatible and without --dim; vectors can be cut and normalized afterwards",
        )
    with whole_folder(folder / FOLDER) as filled:
        for pattern in SHARED:
            for path in folder.glob(pattern):
                to = filled / path.relative_to(folder)
                to.parent.mkdir(exist_ok=True)
                _link(path, to)
        tokenizer: dict[str, Any] = loads((folder / "tokenizer.json").read_text("utf-8"))
        tokenizer["post_processor"] = _without_ending(tokenizer["post_processor"])
        write_whole(filled / "tokenizer.json", json.dumps(tokenizer, ensure_ascii=False) + "\n")
        settings: dict[str, Any] = loads((folder / "tokenizer_config.json").read_text("utf-8"))
        settings |= {"add_eos_token": True, "add_bos_token": False}
        write_whole(filled / "tokenizer_config.json", json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
    return folder / FOLDER


def _without_ending(processor: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a post-processor without the template that appends the end-of-text token."""
    if processor is None or processor["type"] == "TemplateProcessing":
        return None
    if processor["type"] != "Sequence":
        return processor
    left = [part for part in processor["processors"] if part["type"] != "TemplateProcessing"]
    return left[0] if len(left) == 1 else processor | {"processors": left}


def _link(path: Path, to: Path) -> None:
    try:
        os.link(path, to)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(path, to)
