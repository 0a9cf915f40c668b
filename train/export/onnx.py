"""ONNX export of a folder: token ids in, unit vectors out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from open_ml_embed.core.optional import check_installed

OPSET = 18
MOST_INLINE = 1 << 30
"""Maximum size in bytes of weights inside the file, which must stay below 2 GiB; larger weights get their own file."""


class _Vectors(nn.Module):
    """The modules of the folder as one graph, for texts padded on the right."""

    def __init__(self, backbone: Any, dim: int) -> None:
        super().__init__()
        self.backbone, self.dim = backbone, dim

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states_BTH = self.backbone(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).last_hidden_state
        last_B = attention_mask.sum(1) - 1
        index = last_B[:, None, None].expand(-1, 1, states_BTH.shape[2])
        pooled_BH = states_BTH.gather(1, index).squeeze(1)
        return functional.normalize(pooled_BH[:, : self.dim], dim=1)


def write_onnx(folder: Path, *, dim: int) -> Path:
    """Write `onnx/model.onnx` into an export: `input_ids` and `attention_mask` in, `sentence_embedding` out.

    Args:
        folder: an export, in either mode.
        dim: dimensions of its vectors.

    Returns:
        Path of the file. Texts must be padded on the right, as the exported tokenizer does.

    Raises:
        MissingPackageError: a package that torch needs to write ONNX is not installed.

    """
    check_installed("onnx", "onnxscript", what="export to ONNX", where="--onnx")
    from transformers import AutoModel

    auto: Any = AutoModel
    model = _Vectors(auto.from_pretrained(folder, attn_implementation="eager"), dim).eval()
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
