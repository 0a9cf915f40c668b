"""The stored weights of a pretrained backbone: its files, and factors of its token embedding if it has some.

A model that was trained with nested ranks keeps the factors of its token embedding beside the product: exports of this
project in `train3d/`, exports in efficient mode in the model itself, the public trainer in U.pth and V.pth. Training on
starts from these factors. A decomposition of the product would give the same table at the full rank, but other ones at
all smaller ranks.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.sealed import read_record
from open_ml_embed.factorized.embedding import FactorizedEmbedding
from train.config import Pretrained
from train.model.architectures import BACKBONE, backbone_name
from train.model.tensor_files import INDEX, SINGLE, LazyTensor, open_tensors
from train.native import STORED

if TYPE_CHECKING:
    from train.model.embedder import Embedder

UPSTREAM = ("U.pth", "V.pth")
CHECKED_ROWS = 64
TOLERANCE = 0.02
"""Relative difference between product and table that bfloat16 may make."""


@dataclass(frozen=True)
class Factors:
    """The factors U (vocabulary × rank) and V (rank × hidden size) of a token embedding, read when they are needed."""

    left: LazyTensor
    right: LazyTensor
    where: str

    @property
    def rank(self) -> int:
        """The stored rank."""
        return self.right.shape[0]

    def read(self, rank: int) -> tuple[Tensor, Tensor]:
        """Return the first `rank` columns of U and rows of V, float32."""
        left, right = self.left.read(), self.right.read()
        return left[:, :rank].float().contiguous(), right[:rank].float().contiguous()

    def check(self, rows: Callable[[Tensor], Tensor]) -> None:
        """Raise an error if the product of the factors is not the table.

        Args:
            rows: returns the rows of the table at some ids.

        Raises:
            StageError: it is not; the folder's weights were changed by another program.

        """
        left, right = self.left.read().float(), self.right.read().float()
        ids = torch.arange(0, len(left), max(1, len(left) // CHECKED_ROWS))
        wanted, product = rows(ids).float(), left[ids] @ right
        if wanted.shape != product.shape or bool((wanted - product).norm() > TOLERANCE * wanted.norm()):
            raise StageError(
                "the factors are not those of the model's token embedding; its weights were changed afterwards",
                where=self.where,
                remedy="delete that file: the token embedding is then decomposed again",
            )


def stored_factors(backbone: Pretrained) -> Factors | None:
    """Return the factors that a backbone keeps beside its table; None if it keeps none.

    Raises:
        StageError: they cannot be read.

    """
    for name in STORED:
        file = _file(backbone, name)
        tensors = {} if file is None else open_tensors([file])
        prefix = next((key.removesuffix("left") for key in tensors if key.rpartition(".")[2] == "left"), None)
        if prefix is not None:
            return factors_among(tensors, (f"{prefix}left", f"{prefix}right"), str(file))
    files = [_file(backbone, name) for name in UPSTREAM]
    if any(file is None for file in files):
        return None
    left_file, right_file = (_pickled(file) for file in files if file is not None)
    return Factors(LazyTensor.of(left_file), LazyTensor.of(right_file), str(files[0]))


def factors_among(tensors: Mapping[str, LazyTensor], names: tuple[str, str], where: str) -> Factors | None:
    """Return the factors with the given names; None if they are not among the tensors."""
    left, right = (tensors.get(name) for name in names)
    return None if left is None or right is None else Factors(left, right, where)


def _pickled(file: Path) -> Tensor:
    try:
        value: Tensor = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise StageError(
            f"cannot be read: {error}", where=str(file), remedy="save one tensor in it, with `torch.save`"
        ) from None
    if not isinstance(value, Tensor) or value.ndim != 2:
        raise StageError("holds no matrix", where=str(file), remedy="save one tensor in it, with `torch.save`")
    return value.detach()


def stored_tensors(backbone: Pretrained, prefix: str) -> dict[str, LazyTensor] | None:
    """Return the weights of a backbone by the names of its model class; None if they are in no safetensors file.

    Args:
        backbone: the setting.
        prefix: what the names begin with in files of models with a head, such as `model.`.

    """
    index = _file(backbone, INDEX)
    if index is None:
        names = [SINGLE]
    else:
        record = read_record(index, remedy="get the backbone again") or {}
        weight_map: Mapping[str, str] = record.get("weight_map", {})
        names = sorted(set(weight_map.values()))
    files = [_file(backbone, name) for name in names]
    if any(file is None for file in files):
        return None
    tensors = open_tensors([file for file in files if file is not None])
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def first_state(backbone: Pretrained, model: Embedder, ranks: Sequence[int]) -> dict[str, LazyTensor] | None:
    """Return the weights that training starts from, by the names of the model's state, read when they are needed.

    Args:
        backbone: the setting.
        model: a model of the backbone's architecture; its weights are not used.
        ranks: embedding ranks, ascending.

    Returns:
        The weights in float32. None if the backbone's files have other names or shapes, so that transformers has to
        load the whole model.

    Raises:
        StageError: stored factors are not those of the table.

    """
    tensors = stored_tensors(backbone, f"{model.backbone.base_model_prefix}.")
    if tensors is None:
        return None
    embedding = next(name for name, module in model.named_modules() if module is model.embedding) + "."
    state: dict[str, LazyTensor] = {}
    for name, like in model.state_dict().items():
        if name.startswith(embedding):
            continue
        tensor = tensors.get(backbone_name(name, model.config))
        if tensor is None or tensor.shape != tuple(like.shape):
            return None
        state[name] = tensor.to(torch.float32)
    own = _first_embedding(backbone, tensors, embedding.removeprefix(BACKBONE), model.config.hidden_size, ranks)
    return None if own is None else state | {embedding + name: tensor for name, tensor in own.items()}


def _first_embedding(
    backbone: Pretrained, tensors: Mapping[str, LazyTensor], prefix: str, hidden: int, ranks: Sequence[int]
) -> dict[str, LazyTensor] | None:
    """Return the weights of the token embedding by their names in it; None if there is none in the files."""
    table = tensors.get(f"{prefix}weight")
    factors = factors_among(tensors, (f"{prefix}left", f"{prefix}right"), backbone.path)
    plain = tuple(ranks) == (hidden,)
    if table is not None and plain:
        return {"weight": table.to(torch.float32)}
    if factors is None and table is not None:
        factors = stored_factors(backbone)
        if factors is None:
            decomposed = lru_cache(maxsize=1)(lambda: FactorizedEmbedding.from_weight(table.read().float(), ranks[-1]))
            return {
                "left": LazyTensor((table.shape[0], ranks[-1]), torch.float32, partial(_left, decomposed)),
                "right": LazyTensor((ranks[-1], hidden), torch.float32, partial(_right, decomposed)),
            }
        factors.check(table.read().__getitem__)
    if factors is None:
        return None
    stored, rank, shape = factors, ranks[-1], (factors.left.shape[0], hidden)
    if plain:
        return {"weight": LazyTensor(shape, torch.float32, lambda: torch.matmul(*stored.read(stored.rank)))}
    return {
        "left": LazyTensor((shape[0], rank), torch.float32, lambda: stored.read(rank)[0]),
        "right": LazyTensor((rank, hidden), torch.float32, lambda: stored.read(rank)[1]),
    }


def _left(decomposed: Callable[[], FactorizedEmbedding]) -> Tensor:
    return decomposed().left.detach()


def _right(decomposed: Callable[[], FactorizedEmbedding]) -> Tensor:
    return decomposed().right.detach()


def _file(backbone: Pretrained, name: str) -> Path | None:
    """Return a file of a backbone, fetched from the Hub if the backbone is there; None if there is none."""
    folder = Path(backbone.path)
    if folder.is_dir():
        path = folder / name
        return path if path.is_file() else None
    from transformers.utils.hub import cached_file

    options: dict[str, Any] = {
        "revision": backbone.revision,
        "_raise_exceptions_for_missing_entries": False,
        "_raise_exceptions_for_connection_errors": False,
    }
    try:
        found = cached_file(backbone.path, name, **options)
    except (OSError, ValueError):
        return None
    return None if found is None else Path(found)
