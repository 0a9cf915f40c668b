"""The backbone's configuration and tokenizer in an export, so that other versions and programs read them alike."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from open_ml_embed.core.files import write_whole
from open_ml_embed.core.json_text import loads
from train.model.architectures import FULL, WINDOWED

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

TOKENIZER_CLASS = "PreTrainedTokenizerFast"
"""The class that all versions of transformers have for a tokenizer that is all in tokenizer.json."""
OF_THE_MACHINE = ("is_local", "local_files_only", "name_or_path", "_name_or_path", "tokenizer_file", "vocab_file")
"""Fields that say where the files were loaded from."""
ROPE_NAMES = {FULL: "global_rope_theta", WINDOWED: "local_rope_theta"}
"""Type of attention → what version 4 of transformers calls the base of its position embeddings."""
KEPT = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}


def write_config(folder: Path, config: PretrainedConfig) -> None:
    """Write `config.json`.

    Transformers 5 writes the base of the position embeddings into `rope_parameters` and the type into `dtype`; version
    4 and servers look for `rope_theta` and `torch_dtype`, and take their own defaults if these are missing. Both are
    written. The types of the layers are left out where they follow from other fields, so that a changed
    `num_hidden_layers` is enough to cut the model.

    """
    data: dict[str, Any] = loads(config.to_json_string(use_diff=True))
    for name in OF_THE_MACHINE:
        data.pop(name, None)
    if "dtype" in data:
        data["torch_dtype"] = data["dtype"]
    rope = data.get("rope_parameters")
    for kind, name in ROPE_NAMES.items():  # ModernBERT
        if isinstance(rope, dict) and kind in rope:
            data[name] = rope[kind]["rope_theta"]
    if isinstance(rope, dict) and "rope_theta" in rope:
        data["rope_theta"] = rope["rope_theta"]
        if rope.get("rope_type", "default") != "default":
            data["rope_scaling"] = {name: value for name, value in rope.items() if name != "rope_theta"}
    if "layer_types" in data and _follow(config):
        del data["layer_types"]
    write_whole(folder / "config.json", json.dumps(data, indent=2, sort_keys=True) + "\n")


def _follow(config: PretrainedConfig) -> bool:
    """Return whether the types of the layers follow from the other fields."""
    values = {name: value for name, value in config.to_dict().items() if name not in ("layer_types", "model_type")}
    again: Any = type(config)(**copy.deepcopy(values))
    return bool(getattr(again, "layer_types", None) == getattr(config, "layer_types", None))


def write_tokenizer(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write `tokenizer.json` and its configuration, with a class that all versions of transformers have."""
    with tempfile.TemporaryDirectory() as temporary:
        tokenizer.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir()):
            if path.name not in KEPT:
                continue
            text = path.read_text("utf-8")
            if path.name == "tokenizer_config.json":
                data: dict[str, Any] = loads(text)
                data = {name: value for name, value in data.items() if name not in OF_THE_MACHINE}
                data |= {"tokenizer_class": TOKENIZER_CLASS}
                if isinstance(data.get("extra_special_tokens"), list):  # version 4 fails on it; 5 reads the older name
                    data["additional_special_tokens"] = data.pop("extra_special_tokens")
                text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            write_whole(folder / path.name, text)
