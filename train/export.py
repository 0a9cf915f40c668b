"""Export as a sentence-transformers folder: plain weights of the chosen depth, dimension and embedding rank."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from sources.errors import SettingsError
from train.identity import canonical_json
from train.model import Embedder
from train.run import Shape

MODULES = "sentence_transformers.models"
"""Module paths that every version of sentence-transformers and the common servers know."""


@dataclass(frozen=True)
class Cut:
    """A size to export: how many layers, dimensions and embedding ranks are kept."""

    layers: int
    dim: int
    rank: int


def choose(shape: Shape, *, layers: int | None = None, dim: int | None = None, rank: int | None = None) -> Cut:
    """Return the cut asked for; None keeps all.

    Raises:
        SettingsError: the model was not trained at that size.

    """
    asked = {"layers": (layers, shape.layers), "dim": (dim, shape.dims), "rank": (rank, shape.ranks)}
    for name, (value, trained) in asked.items():
        if value is not None and value not in trained:
            raise SettingsError(
                f"the model was not trained at {name} {value}",
                where=f"--{name}",
                remedy=f"one of: {', '.join(map(str, trained))}",
            )
    return Cut(layers or shape.layers[-1], dim or shape.dims[-1], rank or shape.ranks[-1])


def export(
    model: Embedder, tokenizer: Any, folder: Path, *, cut: Cut, dims: Sequence[int], prompts: dict[str, str]
) -> None:
    """Write the folder; files of the same names are replaced, others stay.

    The token embedding is multiplied out, so that any program that knows the backbone's architecture loads it.
    Vectors have unit length at the exported dimension; cut further, they have to be normalised again.

    Args:
        model: as trained.
        tokenizer: ends texts itself; its `model_max_length` becomes the model's.
        folder: where to.
        cut: what is kept of the model.
        dims: trained prefix dimensions, for servers that let callers choose.
        prompts: by name; texts put before a query or a document.

    """
    folder.mkdir(parents=True, exist_ok=True)
    dims = [dim for dim in dims if dim <= cut.dim]
    backbone = cut_backbone(model, cut)
    backbone.config.is_matryoshka = True
    backbone.config.matryoshka_dimensions = dims
    backbone.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    modules = ["Transformer", "Pooling", "Normalize"]
    hidden = backbone.config.hidden_size
    if cut.dim < hidden:
        # The first dimensions, as a linear map: unlike `truncate_dim` it comes before the normalisation.
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
    _write(folder / "sentence_bert_config.json", {"max_seq_length": tokenizer.model_max_length, "do_lower_case": False})
    _write(
        folder / "config_sentence_transformers.json",
        {
            "model_type": "SentenceTransformer",
            "prompts": prompts,
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
    pooling = {"word_embedding_dimension": hidden, "pooling_mode_lasttoken": True, "include_prompt": True}
    for mode in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens"):
        pooling[f"pooling_mode_{mode}"] = False
    _write(folder / "1_Pooling" / "config.json", pooling)
    if cut.dim < hidden:
        _write_dense(folder / "2_Dense", hidden, cut.dim)


def cut_backbone(model: Embedder, cut: Cut) -> Any:
    """Return a plain transformers model of the cut: fewer layers, embedding multiplied out, final norm in place."""
    from transformers import AutoModel

    config = copy.deepcopy(model.config)
    config.num_hidden_layers = cut.layers
    if getattr(config, "layer_types", None) is not None:
        # A configuration that says more layer types than layers does not load.
        config.layer_types = config.layer_types[: cut.layers]
    auto: Any = AutoModel
    plain = auto.from_config(config)
    prefix = "backbone."
    wanted = plain.state_dict()
    state = {
        name.removeprefix(prefix): value
        for name, value in model.state_dict().items()
        if name.removeprefix(prefix) in wanted
    }
    state["embed_tokens.weight"] = model.embedding.product(cut.rank)
    plain.load_state_dict({name: value.cpu() for name, value in state.items()})
    return plain.eval()


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
    path.write_text(canonical_json(data), "utf-8")
