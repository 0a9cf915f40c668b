"""The files of a sentence-transformers folder besides the backbone: pooling, dimensions, normalization, prompts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from open_ml_embed.core.files import write_whole
from open_ml_embed.core.hashing import canonical_json
from train.config import PoolingMode
from train.export.prompts import write_prompts

MODULES = "sentence_transformers.models"
"""Module path that all versions of sentence-transformers and the common servers know."""
POOLING: dict[PoolingMode, str] = {"last": "lasttoken", "mean": "mean_tokens", "cls": "cls_token"}
POOLING_MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


def write_layout(
    folder: Path,
    *,
    hidden: int,
    dim: int,
    max_length: int,
    prompts: Mapping[str, str],
    pooling: PoolingMode = "last",
) -> None:
    """Write all files besides those of the backbone and the tokenizer.

    Args:
        folder: folder of the export; module folders of an earlier export in it are deleted.
        hidden: hidden size of the backbone.
        dim: number of dimensions that are kept.
        max_length: maximum number of tokens per text.
        prompts: by name, text that is put before a text.
        pooling: what becomes the vector of a text.

    """
    modules = ["Transformer", "Pooling", "Normalize"]
    if dim < hidden:
        # A linear map that keeps the first dimensions; unlike `truncate_dim` it comes before the normalization.
        modules.insert(2, "Dense")
    paths = ["" if i == 0 else f"{i}_{module}" for i, module in enumerate(modules)]
    for old in folder.glob("[0-9]_*"):
        shutil.rmtree(old)
    for path in paths[1:]:
        (folder / path).mkdir()
    listing = [
        {"idx": i, "name": str(i), "path": path, "type": f"{MODULES}.{module}"}
        for i, (path, module) in enumerate(zip(paths, modules, strict=True))
    ]
    _write(folder / "modules.json", listing)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    write_prompts(folder, prompts)
    modes: dict[str, Any] = {f"pooling_mode_{mode}": mode == POOLING[pooling] for mode in POOLING_MODES}
    modes |= {"word_embedding_dimension": hidden, "include_prompt": True}
    _write(folder / "1_Pooling" / "config.json", modes)
    if dim < hidden:
        _write_dense(folder / "2_Dense", hidden, dim)


def _write_dense(folder: Path, hidden: int, dim: int) -> None:
    config = {
        "in_features": hidden,
        "out_features": dim,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    _write(folder / "config.json", config)
    save_file({"linear.weight": torch.eye(dim, hidden)}, folder / "model.safetensors")


def _write(path: Path, data: Any) -> None:
    write_whole(path, canonical_json(data))
