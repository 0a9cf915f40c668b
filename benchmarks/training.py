"""One training step on a CPU, beside sentence-transformers and a rewrite of the public trainer, at equal loss.

Weights, texts, batch and AdamW with clipping are the same; a step is forward, backward and update. The texts are real
and short: names of functions and classes of Python's standard library, and their docstrings. All losses are asserted to
equal ours before the timing. sentence-transformers comes from `pip install sentence-transformers`. The rewrite in this
file follows the specification: one padded batch, masks from ids, loops over layers and dimensions, scores and loss in
bfloat16.

The token ids of the other trainers are prepared in memory and not timed; the packing of ours is timed.
"""

from __future__ import annotations

import ast
import math
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, Qwen3Config
from transformers.utils import logging

from benchmarks._timing import compare
from train.config import Objective
from train.data.batch import Batch, make_targets
from train.data.segments import Segments
from train.data.tokenizer import encoder_of, train_tokenizer, wrap
from train.distributed.parallel import Group, spread
from train.loop.step import backward
from train.model.embedder import Embedder
from train.model.embedding import nest
from train.model.presets import Form, dim_weights

LENGTH, WIDTH, DEPTH, RANK = 128, 128, 4, 64
DIMS, LAYERS = (8, 16, 32, 64, 128), (1, 2, 3, 4)
TEMPERATURE = 0.05
WHOLE = 1 << 60


def pairs() -> tuple[list[str], list[str]]:
    """Return names and docstrings of the standard library, without repeated docstrings."""
    found: dict[str, str] = {}
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if {"site-packages", "test", "tests", "lib2to3"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
                found.setdefault(text, node.name.replace("_", " "))
    return list(found.values()), list(found)


class Texts:
    """A tokenizer and a batch: B queries, their positives, and K negatives for each; all documents are distinct."""

    def __init__(self, queries: int, negatives: int) -> None:
        names, documents = pairs()
        self.tokenizer = wrap(train_tokenizer(iter([*names, *documents]), vocab_size=8192), max_length=LENGTH)
        encoder = encoder_of(self.tokenizer, max_length=LENGTH)
        rows = np.random.default_rng(0).permutation(len(names))[: queries * (1 + negatives)].reshape(queries, -1)
        self.columns = [[names[i] for i in rows[:, 0]], *([documents[i] for i in column] for column in rows.T)]
        ids = [[np.array(encoder.encode(text).ids, np.int32) for text in column] for column in self.columns]
        self.ids = [text for column in ids for text in column]
        number = np.arange(rows.size).reshape(negatives + 1, queries)
        targets, order = make_targets(
            positive=number[0],
            negatives=number[1:].T,
            present=np.ones((queries, negatives), bool),
            query_cluster=np.arange(queries),
            cluster=np.arange(rows.size),
            mask_repeats=True,
            in_batch=True,
        )
        lengths = np.array([len(text) for text in self.ids], np.int32)
        stream = Segments(np.concatenate(self.ids), lengths)
        self.batch = Batch("docstrings", "all", "retrieval", stream, targets, np.arange(queries), order)

    def padding(self, *, by_column: bool) -> float:
        """Return the share of padding if all texts are padded to the longest one, or to the longest of their column."""
        lengths = self.batch.segments.lengths.reshape(len(self.columns), -1)
        longest = lengths.max(axis=1, keepdims=True) if by_column else lengths.max()
        return 1 - lengths.sum() / np.broadcast_to(longest, lengths.shape).sum()


def backbone(texts: Texts) -> Any:
    config = Qwen3Config(
        vocab_size=len(texts.tokenizer),
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=LENGTH,
        pad_token_id=texts.tokenizer.pad_token_id,
        eos_token_id=texts.tokenizer.eos_token_id,
    )
    torch.manual_seed(0)
    return AutoModel.from_config(config)


class Stepper:
    """A model, a function that computes its loss and gradient, and the AdamW that is the same for all contestants."""

    def __init__(self, module: torch.nn.Module, loss: Callable[[], float]) -> None:
        self.module, self.loss = module.train(), loss
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=1e-5, betas=(0.9, 0.98), fused=True)

    def __call__(self) -> float:
        value = self.loss()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return value


def ours(
    texts: Texts, *, layers: Sequence[int], nested: bool, cached: bool = False, device: str = "cpu", half: bool = False
) -> Stepper:
    ranks = (RANK,) if nested else (WIDTH,)
    model = Embedder(nest(backbone(texts), ranks), layers=layers, chunk_tokens=4096).to(device)
    form = Form.of(Objective(temperature=TEMPERATURE), dims=DIMS, layers=layers)
    replica = spread(model, Group(), precision="bfloat16" if half else "float32")
    tokens = 0 if cached else WHOLE
    return Stepper(model, lambda: float(backward(replica, texts.batch, form, whole_tokens=tokens).total))


class Rewrite(torch.nn.Module):
    """The training step of the public trainer, as specified."""

    def __init__(self, texts: Texts, dtype: torch.dtype, device: str) -> None:
        super().__init__()
        self.model = backbone(texts)
        nested = nest(backbone(texts), (RANK,)).get_input_embeddings()
        self.left, self.right = torch.nn.Embedding.from_pretrained(nested.left.detach(), freeze=False), nested.right
        self.dtype, self.queries, self.pad = dtype, texts.batch.queries, texts.tokenizer.pad_token_id
        ids = [torch.from_numpy(text.astype(np.int64)) for text in texts.ids]
        self.ids = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=self.pad).to(device)
        self.norm, self.model.norm = self.model.norm, torch.nn.Identity()
        self.to(device)

    def forward(self) -> Tensor:
        mask = self.ids != self.pad
        output = self.model(
            inputs_embeds=self.left(self.ids) @ self.right,
            attention_mask=mask.long(),
            output_hidden_states=True,
            use_cache=False,
        )
        last, row = mask.sum(1) - 1, torch.arange(len(mask), device=mask.device)
        total = torch.zeros((), device=mask.device)
        for layer in LAYERS:
            pooled = self.norm(output.hidden_states[layer][row, last])
            for k, dim in enumerate(reversed(DIMS), 1):
                total = total + self.term(pooled[:, :dim]) / (k * math.sqrt(WIDTH / dim)) / len(LAYERS)
        return total

    def term(self, states: Tensor) -> Tensor:
        states = functional.normalize(states, dim=-1).to(self.dtype)
        queries, positives, *negatives = states.split(self.queries)
        candidates = torch.stack([positives, *negatives], dim=1)
        hard = torch.bmm(candidates, queries[:, :, None]).squeeze(2) / TEMPERATURE
        in_batch = queries @ positives.detach().T / TEMPERATURE
        own = torch.arange(len(queries), device=hard.device)
        return functional.cross_entropy(hard, torch.zeros_like(own)) + functional.cross_entropy(in_batch, own)


def rewrite(texts: Texts, dtype: torch.dtype, device: str = "cpu") -> Stepper:
    module = Rewrite(texts, dtype, device)

    def loss() -> float:
        value = module()
        value.backward()
        return float(value)

    return Stepper(module, loss)


def sentence_transformers(texts: Texts, folder: Path, *, cached: bool, device: str = "cpu") -> Stepper:
    """Return Matryoshka2dLoss with the ranking loss, or MatryoshkaLoss with the cached one (for one layer only)."""
    from sentence_transformers import SentenceTransformer, models
    from sentence_transformers.sentence_transformer import losses

    backbone(texts).save_pretrained(folder)
    texts.tokenizer.save_pretrained(folder)
    transformer = models.Transformer(str(folder), max_seq_length=LENGTH)
    pooling = models.Pooling(WIDTH, pooling_mode="lasttoken")
    model = SentenceTransformer(modules=[transformer, pooling, models.Normalize()], device=device)
    weights = {"matryoshka_dims": list(DIMS), "matryoshka_weights": list(dim_weights(DIMS)), "n_dims_per_step": -1}
    scale = 1 / TEMPERATURE
    if cached:
        inner = losses.CachedMultipleNegativesRankingLoss(model, scale=scale, mini_batch_size=32)
        objective: torch.nn.Module = losses.MatryoshkaLoss(model, inner, **weights)
    else:
        objective = losses.Matryoshka2dLoss(
            model,
            losses.MultipleNegativesRankingLoss(model, scale=scale),
            **weights,
            n_layers_per_step=-1,
            last_layer_weight=1 / DEPTH,
            kl_temperature=0,  # no self-distillation
            layer_weighting=lambda layer: float(layer > 0),  # its layer 0 is the token embedding
        )
    features = [_on(model.tokenize(column), device) for column in texts.columns]

    def loss() -> float:
        value = objective([dict(column) for column in features], torch.empty(0))
        value.backward()
        return float(value)

    return Stepper(objective, loss)


def _on(features: dict[str, Any], device: str) -> dict[str, Any]:
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in features.items()}


def race(title: str, texts: Texts, steppers: dict[str, Stepper], tolerances: dict[str, float]) -> None:
    """Assert that all contestants have the same loss, and time them."""
    first, *others = steppers
    wanted = steppers[first]()
    for name in others:
        got = steppers[name]()
        print(f"  loss of {name}: {got:.6f}, ours {wanted:.6f}")
        assert abs(got - wanted) <= tolerances.get(name, 1e-4) * wanted, name
    compare(title, {name: (stepper, texts.batch.queries) for name, stepper in steppers.items()})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    with tempfile.TemporaryDirectory() as root:
        full = Texts(queries=32, negatives=7)
        share = full.padding(by_column=False)
        print(f"{len(full.batch.segments.ids):,} tokens; all padded to the longest: {share:.0%} padding")
        race(
            "hard and in-batch, 4 layers × 5 dimensions, nested embedding: queries/s",
            full,
            {
                "ours": ours(full, layers=LAYERS, nested=True),
                "ours, cached": ours(full, layers=LAYERS, nested=True, cached=True),
                "rewrite, fp32": rewrite(full, torch.float32),
                "rewrite": rewrite(full, torch.bfloat16),
            },
            {"rewrite": 0.02},
        )
        plain = Texts(queries=128, negatives=0)
        share = plain.padding(by_column=True)
        print(f"{len(plain.batch.segments.ids):,} tokens; columns padded to their longest: {share:.0%} padding")
        race(
            "in-batch, 4 layers × 5 dimensions: queries/s",
            plain,
            {
                "ours": ours(plain, layers=LAYERS, nested=False),
                "Matryoshka2d": sentence_transformers(plain, Path(root) / "2d", cached=False),
            },
            {},
        )
        race(
            "in-batch, 1 layer × 5 dimensions, gradients cached: queries/s",
            plain,
            {
                "ours": ours(plain, layers=(DEPTH,), nested=False),
                "ours, cached": ours(plain, layers=(DEPTH,), nested=False, cached=True),
                "CachedMNRL": sentence_transformers(plain, Path(root) / "cached", cached=True),
            },
            {},
        )
