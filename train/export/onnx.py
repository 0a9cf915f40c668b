"""ONNX export of a folder: token ids in, unit vectors out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from open_ml_embed.core.optional import check_installed
from train.config import PoolingMode

OPSET = 18
MOST_INLINE = 1 << 30
"""Maximum size in bytes of weights inside the file, which must stay below 2 GiB; larger weights get their own file."""


class _Vectors(nn.Module):
    """The modules of the folder as one graph, for texts padded on the right."""

    def __init__(self, backbone: Any, dim: int, pooling: PoolingMode) -> None:
        super().__init__()
        self.backbone, self.dim, self.pooling = backbone, dim, pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states_BTH = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state
        return functional.normalize(self._pooled(states_BTH, attention_mask)[:, : self.dim], dim=1)

    def _pooled(self, states_BTH: Tensor, mask_BT: Tensor) -> Tensor:
        if self.pooling == "cls":
            return states_BTH[:, 0]
        if self.pooling == "mean":
            counts_BT1 = mask_BT[:, :, None].to(states_BTH.dtype)
            return (states_BTH * counts_BT1).sum(1) / counts_BT1.sum(1)
        last_B = mask_BT.sum(1) - 1
        return states_BTH.gather(1, last_B[:, None, None].expand(-1, 1, states_BTH.shape[2])).squeeze(1)


def write_onnx(folder: Path, *, dim: int, pooling: PoolingMode = "last") -> Path:
    """Write `onnx/model.onnx` into an export: `input_ids` and `attention_mask` in, `sentence_embedding` out.

    Args:
        folder: an export, in either mode.
        dim: dimensions of its vectors.
        pooling: what becomes the vector of a text.

    Returns:
        Path of the file. Texts must be padded on the right, as the exported tokenizer does.

    Raises:
        MissingPackageError: a package that torch needs to write ONNX is not installed.

    """
    check_installed("onnx", "onnxscript", what="export to ONNX", where="--onnx")
    from transformers import AutoModel

    auto: Any = AutoModel
    model = _Vectors(auto.from_pretrained(folder, attn_implementation="eager"), dim, pooling).eval()
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    ids = torch.ones(2, 7, dtype=torch.int64)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    path = folder / "onnx" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens")
    shapes = {0: batch, 1: tokens}
    torch.onnx.export(
        model,
        (ids, mask),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["sentence_embedding"],
        dynamic_shapes=(shapes, shapes),
        opset_version=OPSET,
        external_data=size > MOST_INLINE,
        dynamo=True,
        verbose=False,
    )
    return path
