"""Exports a model as a sentence-transformers folder, cut to a depth, dimension and embedding rank."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.hashing import canonical_json
from open_ml_embed.core.sealed import read_record
from open_ml_embed.factorized import embedding, modeling
from open_ml_embed.factorized.embedding import FactorizedEmbedding
from train.export.backbone_files import write_config, write_tokenizer
from train.export.model_folder import write_layout
from train.loop.record import description
from train.loop.run import Shape
from train.model.architectures import backbone_name
from train.model.embedder import Embedder
from train.model.lora import plain_state
from train.model.tensor_files import SHARD_BYTES, LazyTensor, write_model, write_tensors
from train.native import FACTORS, RECORD

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

Mode = Literal["compatible", "efficient"]
Stored = Literal["float32", "bfloat16", "float16"]
CODE = {"modeling_factorized.py": Path(modeling.__file__), "embedding.py": Path(embedding.__file__)}
"""Files of an export in efficient mode → where they are copied from; the file of the models comes first."""
MADE_FROM_WEIGHTS = ("onnx", "gguf")
"""Folders that other steps make from the weights of an export, and that are stale when these change."""


@dataclass(frozen=True)
class Cut:
    """A size to export: numbers of layers and dimensions, and the embedding rank, that are kept."""

    layers: int
    dim: int
    rank: int


def choose(shape: Shape, *, layers: int | None = None, dim: int | None = None, rank: int | None = None) -> Cut:
    """Return the cut with the given sizes; None keeps the full size.

    Raises:
        SettingsError: the model was not trained at that size.

    """
    requested = {"layers": (layers, shape.layers), "dim": (dim, shape.dims), "rank": (rank, shape.ranks)}
    for name, (value, trained) in requested.items():
        if value is not None and value not in trained:
            raise SettingsError(
                f"the model was not trained at {name} {value}",
                where=f"--{name}",
                remedy=f"one of: {', '.join(map(str, trained))}",
            )
    return Cut(layers or shape.layers[-1], dim or shape.dims[-1], rank or shape.ranks[-1])


def export(
    model: Embedder,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    *,
    cut: Cut,
    shape: Shape,
    prompts: Mapping[str, str],
    instructed: bool,
    mode: Mode = "compatible",
    dtype: Stored = "float32",
    shard_bytes: int = SHARD_BYTES,
    keep_factors: bool = True,
    writes: bool = True,
) -> None:
    """Write the model as a sentence-transformers folder; files of the same names are replaced, other files stay.

    Vectors have unit length at the exported dimension; vectors that are truncated further must be normalized again.
    Both modes give the same vectors. One tensor is in memory at a time. An ONNX graph and a GGUF
    folder of an earlier export are deleted.

    Args:
        model: the trained model. If it is sharded, all processes must call.
        tokenizer: ends texts itself; its `model_max_length` becomes that of the export.
        folder: folder to write.
        cut: what is kept of the model.
        shape: the sizes that the model was trained at; the dimensions among them are written into the configuration,
            for servers.
        prompts: by name, text that is put before a query or a document.
        instructed: whether the model was trained with instructions; `train3d evaluate --mteb` then uses those of the
            tasks.
        mode: `compatible` multiplies the factors of the token embedding, so that every program that knows the
            backbone's architecture loads the export. `efficient` keeps the factors; loading needs `import
            open_ml_embed.factorized`, or `trust_remote_code=True` with the code in the folder.
        dtype: type that the weights are stored in.
        shard_bytes: maximum size of a file of weights.
        keep_factors: in mode `compatible`, also write the factors (`train3d/factors.safetensors`), so that training on
            from the export keeps the nested ranks.
        writes: whether this process writes.

    Raises:
        SettingsError: the efficient mode does not support the backbone's architecture, or the embedding has no factors.

    """
    plain, tensors = cut_tensors(model, cut, mode)
    stored = getattr(torch, dtype)
    tensors = {name: tensor.to(stored) for name, tensor in tensors.items()}
    if writes:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in MADE_FROM_WEIGHTS:
            shutil.rmtree(folder / stale, ignore_errors=True)
        (folder / FACTORS).unlink(missing_ok=True)
    write_model(folder, tensors, most=shard_bytes, writes=writes)
    if keep_factors and mode == "compatible" and isinstance(model.embedding, FactorizedEmbedding):
        write_tensors(folder / FACTORS, cut_factors(model, cut.rank), writes=writes)
    if not writes:
        return
    config = plain.config
    config.architectures, config.dtype = [type(plain).__name__], stored
    config.is_matryoshka = True
    config.matryoshka_dimensions = [dim for dim in shape.dims if dim <= cut.dim]
    _write_code(folder, plain, mode)
    write_config(folder, config)
    write_tokenizer(folder, tokenizer)
    write_layout(
        folder,
        hidden=config.hidden_size,
        dim=cut.dim,
        max_length=tokenizer.model_max_length,
        prompts=prompts,
        pooling=model.pooling,
    )
    write_whole(folder / RECORD, canonical_json({"instructed": instructed}))


def _write_code(folder: Path, backbone: Any, mode: Mode) -> None:
    """Copy the code of the model type into the folder and name it in the configuration; or delete it (compatible)."""
    for name, source in CODE.items():
        if mode == "efficient":
            shutil.copyfile(source, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    if mode == "efficient":
        module = next(iter(CODE)).removesuffix(".py")
        backbone.config.auto_map = {
            "AutoConfig": f"{module}.{type(backbone.config).__name__}",
            "AutoModel": f"{module}.{type(backbone).__name__}",
        }


def instructed_by(folder: Path) -> bool | None:
    """Return whether the model in a folder was trained with instructions; None if the folder does not record it."""
    path = folder / RECORD
    record = read_record(path, remedy="export the model again") if path.is_file() else description(folder)
    return None if record is None else record.get("instructed")


def cut_backbone(model: Embedder, cut: Cut, mode: Mode = "compatible") -> Any:
    """Return a transformers model of the cut: fewer layers, a smaller embedding, and the final norm in its place.

    Raises:
        SettingsError: see `export`.

    """
    plain, tensors = cut_tensors(model, cut, mode)
    plain.load_state_dict({name: tensor.read().clone() for name, tensor in tensors.items()}, assign=True)
    return plain.eval()


def cut_tensors(model: Embedder, cut: Cut, mode: Mode) -> tuple[Any, dict[str, LazyTensor]]:
    """Return a transformers model of the cut on the device `meta`, and its weights.

    Raises:
        SettingsError: see `export`.

    """
    from accelerate import init_empty_weights
    from transformers import AutoModel

    config = copy.deepcopy(model.config)
    config.num_hidden_layers = cut.layers
    if getattr(config, "layer_types", None) is not None:
        # A configuration with more layer types than layers does not load.
        config.layer_types = config.layer_types[: cut.layers]
    auto: Any = AutoModel
    make = auto.from_config if mode == "compatible" else _factorized(model, config, cut.rank)
    with init_empty_weights(include_buffers=False):
        # The trainer's attention works on packed streams only.
        plain = make(config, attn_implementation="sdpa")
    own = {backbone_name(name, model.config): tensor for name, tensor in plain_state(model).items()}
    table = next(name for name, module in plain.named_modules() if module is plain.get_input_embeddings()) + "."
    factors = cut_factors(model, cut.rank)
    tensors = {}
    for name in plain.state_dict():
        if not name.startswith(table):
            tensors[name] = own[name]
        elif not factors:
            tensors[name] = own[table + "weight"]
        elif mode == "efficient":
            tensors[name] = factors[name.removeprefix(table)]
        else:
            left, right = factors["left"], factors["right"]
            tensors[name] = LazyTensor((left.shape[0], right.shape[1]), left.dtype, partial(_product, left, right))
    return plain, tensors


def cut_factors(model: Embedder, rank: int) -> dict[str, LazyTensor]:
    """Return the factors `left` and `right` of the token embedding at a rank; nothing if it is a plain table."""
    if not isinstance(model.embedding, FactorizedEmbedding):
        return {}
    state = plain_state(model)
    prefix = next(name for name, module in model.named_modules() if module is model.embedding) + "."
    left, right = state[prefix + "left"], state[prefix + "right"]
    return {
        "left": left.then((left.shape[0], rank), lambda value: value[:, :rank].contiguous()),
        "right": right.then((rank, right.shape[1]), lambda value: value[:rank].contiguous()),
    }


@torch.no_grad()
def _product(left: LazyTensor, right: LazyTensor) -> Tensor:
    return left.read() @ right.read()


def _factorized(model: Embedder, config: PretrainedConfig, rank: int) -> Any:
    """Return a function that creates a factorized model of the backbone's architecture with an embedding rank."""
    if not isinstance(model.embedding, FactorizedEmbedding):
        raise SettingsError(
            "the model was trained with a plain token embedding, which has no factors",
            where="--mode efficient",
            remedy="export it with --mode compatible",
        )
    if config.model_type not in modeling.MODELS:
        raise SettingsError(
            f"there is no factorized {config.model_type} model type",
            where="--mode efficient",
            remedy=f"use --mode compatible, or add it to open_ml_embed.factorized, beside {', '.join(modeling.MODELS)}",
        )
    config_class, model_class = modeling.MODELS[config.model_type]

    def make(config: PretrainedConfig, *, attn_implementation: str) -> Any:
        values = {
            name: value for name, value in config.to_dict().items() if name not in ("model_type", "architectures")
        }
        return model_class._from_config(
            config_class(**values, embedding_rank=rank), attn_implementation=attn_implementation
        )

    return make
