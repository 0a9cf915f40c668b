"""The trained low-rank updates alone, in PEFT's format, beside the merged export.

    PeftModel.from_pretrained(AutoModel.from_pretrained(BACKBONE), "out/model/adapter")

gives the states of the merged model at its full size. A token embedding that was trained is in the folder whole,
because the product of its factors is not the backbone's table.
"""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

from open_ml_embed.core.files import write_whole
from train.config import Lora
from train.distributed.parallel import whole
from train.export.export import Cut, cut_tensors
from train.model.architectures import BACKBONE, backbone_name
from train.model.embedder import Embedder
from train.model.lora import ADAPTER, MAGNITUDE, lora_config
from train.model.tensor_files import LazyTensor, write_tensors

FOLDER = "adapter"
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
"""What PEFT puts before the names of a backbone's parts."""


def write_adapter(
    model: Embedder, settings: Lora, folder: Path, *, backbone: str | None, cut: Cut, writes: bool = True
) -> None:
    """Write the updates, and the token embedding if it was trained, as PEFT reads them.

    Args:
        model: the trained model with its updates; if it is sharded, all processes must call.
        settings: the setting `train.lora`.
        folder: folder to write; it is replaced.
        backbone: Hub name of the backbone; None: a folder, whose path differs between machines.
        cut: the full size of the model.
        writes: whether this process writes.

    """
    tensors: dict[str, LazyTensor] = {}
    for name, value in model.state_dict().items():
        if f".{ADAPTER}." in name:
            # PEFT leaves out the name of the adapter, and what ends the name of a magnitude.
            plain = backbone_name(name, model.config).replace(f".{ADAPTER}.", ".")
            plain = plain.removesuffix(".weight") if MAGNITUDE in plain else plain
            tensors[PREFIX + plain] = LazyTensor(tuple(value.shape), value.dtype, partial(whole, value))
    saved = None
    if settings.embedding:
        table = _embedding_name(model)
        saved = [table.rpartition(".")[2]]
        tensors[f"{PREFIX}{table}.weight"] = cut_tensors(model, cut, "compatible")[1][f"{table}.weight"]
    if writes:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    write_tensors(folder / WEIGHTS, tensors, writes=writes)
    if writes:
        data = lora_config(model, settings).to_dict()
        data |= {
            "base_model_name_or_path": backbone,
            "inference_mode": True,
            "modules_to_save": saved,
            "peft_type": "LORA",
            "target_modules": sorted(data["target_modules"]),
            "task_type": "FEATURE_EXTRACTION",
        }
        write_whole(folder / CONFIG, json.dumps(data, indent=2, sort_keys=True, default=sorted) + "\n")


def _embedding_name(model: Embedder) -> str:
    """Return the backbone's name of its token embedding."""
    name: str = next(name for name, module in model.named_modules() if module is model.embedding)
    return name.removeprefix(BACKBONE)
