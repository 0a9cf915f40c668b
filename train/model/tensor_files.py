"""Reads and writes safetensors files one tensor at a time, so that no process holds a whole model."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import safe_open
from torch import Tensor

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import whole_file, write_whole

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
"""Names of a model's only file, and of the index of several, as transformers has them."""
SHARD_BYTES = 5_000_000_000
"""Maximum size of a model's file; transformers' default."""
PIECE_ROWS = 16_384
_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class LazyTensor:
    """A tensor that is made when it is needed.

    Attributes:
        shape: its shape.
        dtype: its type.
        read: returns it whole. If the model is sharded, all processes must call it.

    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]

    @classmethod
    def of(cls, tensor: Tensor) -> LazyTensor:
        """Return a tensor that is there already."""
        return cls(tuple(tensor.shape), tensor.dtype, lambda: tensor)

    def to(self, dtype: torch.dtype) -> LazyTensor:
        """Return the tensor in another type; integers keep theirs."""
        return self.then(self.shape, lambda value: value.to(dtype), dtype) if self.dtype.is_floating_point else self

    def then(
        self, shape: tuple[int, ...], change: Callable[[Tensor], Tensor], dtype: torch.dtype | None = None
    ) -> LazyTensor:
        """Return what a function makes of the tensor, also when it is needed.

        Args:
            shape: shape of the result.
            change: the function.
            dtype: type of the result; None: that of the tensor.

        """
        return LazyTensor(shape, dtype or self.dtype, lambda: change(self.read()))

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


def write_tensors(path: Path, tensors: Mapping[str, LazyTensor], *, writes: bool = True) -> None:
    """Write a safetensors file, in the order of the mapping; only one tensor is in memory at a time.

    Args:
        path: the file; it replaces an older one when it is complete.
        tensors: by name.
        writes: whether this process writes. Processes that do not still read, because reading is a collective call.

    """
    if not writes:
        for tensor in tensors.values():
            tensor.read()
        return
    with whole_file(path) as temporary, temporary.open("wb") as file:
        _write(file, tensors)


def _write(file: BinaryIO, tensors: Mapping[str, LazyTensor]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + tensor.nbytes],
        }
        at += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for name, tensor in tensors.items():
        value = tensor.read().detach()
        assert (tuple(value.shape), value.dtype) == (tensor.shape, tensor.dtype), name
        for piece in torch.split(value, PIECE_ROWS) if value.ndim else (value,):
            file.write(piece.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        del value


def write_model(
    folder: Path, tensors: Mapping[str, LazyTensor], *, most: int = SHARD_BYTES, writes: bool = True
) -> None:
    """Write a model's weights as transformers lays them out: one file, or several with an index.

    Args:
        folder: the folder of the model; weights of an earlier model in it are deleted.
        tensors: by name.
        most: maximum size of a file in bytes; a tensor that is larger gets a file of its own.
        writes: see `write_tensors`.

    """
    shards = _shards(tensors, most)
    if writes:
        for old in (*folder.glob("model*.safetensors"), folder / INDEX):
            old.unlink(missing_ok=True)
    if len(shards) == 1:
        write_tensors(folder / SINGLE, tensors, writes=writes)
        return
    where: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_tensors(folder / file, {name: tensors[name] for name in names}, writes=writes)
        where |= dict.fromkeys(names, file)
    if writes:
        total = sum(tensor.nbytes for tensor in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
        write_whole(folder / INDEX, json.dumps(index, indent=2, sort_keys=True) + "\n")


def _shards(tensors: Mapping[str, LazyTensor], most: int) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > most:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards


def open_tensors(files: Sequence[Path]) -> dict[str, LazyTensor]:
    """Return all tensors of safetensors files by name; nothing but the headers is read.

    Raises:
        StageError: a file is damaged or missing.

    """
    tensors: dict[str, LazyTensor] = {}
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                for name in opened.keys():  # noqa: SIM118 (not a mapping)
                    part = opened.get_slice(name)
                    tensors[name] = LazyTensor(tuple(part.get_shape()), _dtype(part.get_dtype()), _reader(file, name))
        except Exception as error:
            if isinstance(error, (MemoryError, KeyboardInterrupt)):
                raise
            raise StageError(
                f"cannot be read: {error}", where=str(file), remedy="fetch or write the file again"
            ) from None
    return tensors


def _reader(file: Path, name: str) -> Callable[[], Tensor]:
    def read() -> Tensor:
        with safe_open(file, "pt") as opened:
            value: Tensor = opened.get_tensor(name)
            return value

    return read


def _dtype(name: str) -> torch.dtype:
    known = {text: dtype for dtype, text in _NAMES.items()}
    return known.get(name, torch.uint8)
