"""What has to be seen on a GPU, check by check, with one line each: `python -m benchmarks.gpu`, under eight minutes.

`--device cpu --tiny` runs every check whole, in small, on any machine; limits that only mean something on a GPU are
printed and not asserted there. A check that fails is told, and the others still run.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, Qwen3Config
from transformers.utils import logging

from benchmarks import training
from curation.mining.topk.exact import exact_topk
from train.config import Memory, Negatives, Objective, Stage
from train.data.batch import Batch, make_targets
from train.data.segments import Segments
from train.distributed.parallel import Group, Replica, spread
from train.loop.live_memory import LiveMemory
from train.loop.loss_memory import loss_bytes
from train.loop.memory_estimate import estimate
from train.loop.step import backward
from train.model.attention import packed_attention
from train.model.embedder import Embedder
from train.model.embedding import nest
from train.model.flops import Cost, measured_peak
from train.model.presets import Form

GOAL_MFU, GOAL_SPEED, GOAL_WAIT = 0.45, 2.0, 0.02
WHOLE = 1 << 60


@dataclass(frozen=True)
class Place:
    """Where the checks run, and how large.

    Attributes:
        device: `cuda` or `cpu`.
        tiny: small shapes, for a test.

    """

    device: str
    tiny: bool

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def half(self) -> torch.dtype:
        """Type of the attention kernel; CPUs have the loop over lengths only."""
        return torch.bfloat16 if self.on_gpu else torch.float32

    def config(self, layers: int | None = None) -> Qwen3Config:
        """Return the shapes of Qwen3-0.6B, or of a model in small."""
        sizes = (512, 64, 2, 4, 2, 16, 96) if self.tiny else (151_936, 1024, 28, 16, 8, 128, 3072)
        vocabulary, hidden, depth, heads, keys, head, mlp = sizes
        return Qwen3Config(
            vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=layers or depth, num_attention_heads=heads,
            num_key_value_heads=keys, head_dim=head, intermediate_size=mlp, max_position_embeddings=4096,
        )  # fmt: skip

    def model(self, *, layers: int | None = None, chunk_tokens: int = 65_536) -> Embedder:
        config = self.config(layers)
        depth, width = config.num_hidden_layers, config.hidden_size
        torch.manual_seed(0)
        backbone = nest(AutoModel.from_config(config), (width // 4, width // 2))
        return Embedder(backbone, layers=sorted({1, depth}), chunk_tokens=chunk_tokens).to(self.device).train()

    def wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()

    @contextmanager
    def peak(self) -> Iterator[Callable[[], int]]:
        """Measure the memory that is allocated at most in the block, with what is there before it."""
        gc.collect()
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            yield torch.cuda.max_memory_allocated
            return
        with LiveMemory() as memory:
            yield lambda: int(memory.peak)


def batch_of(queries: int, negatives: int, tokens: int, vocabulary: int, seed: int = 0) -> Batch:
    """Return a batch of random texts of about `tokens` tokens, all documents distinct."""
    rng = np.random.default_rng(seed)
    rows = np.arange(queries * (1 + negatives)).reshape(queries, -1)
    targets, order = make_targets(
        positive=rows[:, 0], negatives=rows[:, 1:], present=np.ones((queries, negatives), bool),
        query_cluster=np.arange(queries), cluster=np.arange(rows.size), mask_repeats=True, in_batch=True,
    )  # fmt: skip
    lengths = rng.integers(max(2, tokens // 2), tokens * 3 // 2 + 1, queries + rows.size).astype(np.int32)
    ids = rng.integers(3, vocabulary, int(lengths.sum())).astype(np.int32)
    return Batch("random", "all", "retrieval", Segments(ids, lengths), targets, np.arange(queries), order)


def form_of(model: Embedder) -> Form:
    width = model.config.hidden_size
    dims = [d for d in (8, 16, 32, 64, 128, 256, 512, 1024) if d < width]
    return Form.of(Objective(), dims=[*dims, width], layers=model.layers)


def replica_of(place: Place, model: Embedder) -> Replica:
    return spread(model, Group(), precision="bfloat16" if place.on_gpu else "float32")


def explicit(
    query: Tensor, key: Tensor, value: Tensor, lengths: np.ndarray[Any, Any], *, causal: bool, window: int | None
) -> Tensor:
    """Attend text by text with a written-out softmax, float32; heads × tokens × size in, tokens × heads × size out."""
    key, value = (t.repeat_interleave(query.shape[0] // key.shape[0], dim=0) for t in (key, value))
    parts = []
    for q, k, v in zip(*(torch.split(t, lengths.tolist(), dim=1) for t in (query, key, value)), strict=True):
        scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
        if causal:
            ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
            scores = scores.masked_fill(ahead, float("-inf"))
        if window is not None:
            at = torch.arange(scores.shape[-1], device=q.device)
            scores = scores.masked_fill((at[:, None] - at).abs() >= window, float("-inf"))
        parts.append((scores.softmax(-1) @ v).transpose(0, 1))
    return torch.cat(parts)


def attention_error(place: Place, dtype: torch.dtype, *, causal: bool, window: int | None = None) -> float:
    """Return the largest relative error of output and gradients of packed attention, with grouped key heads."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 20 if place.tiny else 500, 6 if place.tiny else 40).astype(np.int32)
    tokens, heads, keys, size = int(lengths.sum()), 8, 2, 64
    torch.manual_seed(2)
    inputs = [torch.randn(n, tokens, size, device=place.device).to(dtype) for n in (heads, keys, keys)]
    weights = torch.randn(tokens, heads, size, device=place.device)
    cuts = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)).to(place.device)
    module = nn.Module()
    module.is_causal = causal
    results = []
    for packed in (True, False):
        own = [t.detach().clone().requires_grad_() for t in inputs]
        if packed:
            output = packed_attention(
                module,
                *(t[None] for t in own),
                None,
                cu_seq_lens_q=cuts,
                max_length_q=int(lengths.max()),
                sliding_window=window,
            )[0][0]
        else:
            output = explicit(*(t.float() for t in own), lengths, causal=causal, window=window)
        (output.float() * weights).sum().backward()
        results.append([output.detach().float(), *(t.grad.float() for t in own)])
    return max(float((a - b).norm() / b.norm()) for a, b in zip(*results, strict=True))


def attention(place: Place) -> str:
    """The kernel for texts of any length against a written-out softmax: grouped heads, causal and not, in a window."""
    errors = {name: attention_error(place, place.half, causal=name == "causal") for name in ("causal", "bidirectional")}
    errors["window"] = attention_error(place, place.half, causal=False, window=5 if place.tiny else 65)
    assert max(errors.values()) < (2e-2 if place.on_gpu else 1e-5), errors
    return ", ".join(f"{name}: relative error {error:.1e}" for name, error in errors.items())


def float32(place: Place) -> str:
    """Attention in float32, which the kernel cannot do, is computed another way and right."""
    error = max(attention_error(place, torch.float32, causal=causal) for causal in (True, False))
    assert error < 1e-4, error
    return f"relative error {error:.1e}"


def memory(place: Place) -> str:
    """The memory estimate against what a step takes: 1, 4 and 16 chunks, and a large batch with cached gradients."""
    model = place.model(layers=2 if place.tiny else 8)
    replica, form = replica_of(place, model), form_of(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True)
    queries, tokens = (8, 12) if place.tiny else (256, 128)
    cases = [(queries, 3, chunks, WHOLE) for chunks in (1, 4, 16)] + [(64 if place.tiny else 4096, 1, 16, 0)]
    told = []
    for size, negatives, chunks, whole in cases:
        batch = batch_of(size, negatives, tokens, model.config.vocab_size)
        total = len(batch.segments.ids)
        model.chunk_tokens = -(-total // chunks)
        for _ in range(2):  # the second step has the optimizer's state
            with place.peak() as peak:
                backward(replica, batch, form, whole_tokens=whole)
                optimizer.step()
                measured = peak()
            optimizer.zero_grad(set_to_none=True)
        stage = Stage(name="a", mix="m", steps=1, batch_size=size, negatives=Negatives(retrieval=negatives))
        loss = loss_bytes(form, stage, len(model.layers), model.config.hidden_size)
        said = estimate(replica, Memory(), loss)
        kept = total if whole else model.chunk_tokens
        predicted = said.weights + said.training + said.per_token * kept
        told.append(f"{size} × {chunks} chunks {predicted / measured:.2f}")
        assert predicted > 0.9 * measured, (size, chunks, predicted, measured)
    return f"estimate / measured: {', '.join(told)}"


def steps(place: Place, model: Embedder, count: int = 3) -> list[float]:
    """Return the losses of some steps with AdamW."""
    replica, form = replica_of(place, model), form_of(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    batch = batch_of(8, 2, 12 if place.tiny else 200, model.config.vocab_size)
    losses = []
    for at in range(count):
        model.embedding.rank = model.embedding.right.shape[0] // (1 + at % 2)
        losses.append(float(backward(replica, batch, form, whole_tokens=WHOLE).total))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return losses


def deterministic(place: Place) -> str:
    """The same steps twice, the same bits."""
    torch.use_deterministic_algorithms(mode=True)
    try:
        found = []
        for _ in range(2):
            model = place.model(layers=2)
            found.append((steps(place, model), [p.detach().clone() for p in model.parameters()]))
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert found[0][0] == found[1][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))
    return f"{len(found[0][0])} steps, last loss {found[0][0][-1]:.4f}"


def compiled(place: Place) -> str:
    """Compiled layers give the same losses, and other ranks of the embedding compile nothing anew."""
    from torch._dynamo.utils import counters

    wanted = steps(place, place.model(layers=2), 2)
    torch._dynamo.reset()
    counters.clear()
    model = place.model(layers=2)
    model.compile_layers("inductor" if place.on_gpu else "eager")
    found = steps(place, model, 2)  # both ranks
    graphs = counters["stats"]["unique_graphs"]
    steps(place, model, 4)
    assert counters["stats"]["unique_graphs"] == graphs, "compiled again for a rank"
    error = max(abs(a - b) / b for a, b in zip(found, wanted, strict=True))
    assert error < (2e-2 if place.on_gpu else 1e-4), (found, wanted)
    return f"relative error {error:.1e}, {graphs} graphs, none for a rank"


def adamw(place: Place) -> str:
    """Fused AdamW moves weights as the loop over tensors does."""
    torch.manual_seed(3)
    first = [torch.randn(64, 48, device=place.device) for _ in range(3)]
    gradients = [[torch.randn_like(p) for p in first] for _ in range(4)]
    ends = []
    for fused in (True, False):
        own = [nn.Parameter(p.clone()) for p in first]
        optimizer = torch.optim.AdamW(own, lr=1e-2, betas=(0.9, 0.98), fused=fused, foreach=False)
        for step in gradients:
            for parameter, gradient in zip(own, step, strict=True):
                parameter.grad = gradient.clone()
            optimizer.step()
        ends.append(own)
    error = max(float((a - b).abs().max()) for a, b in zip(*ends, strict=True))
    assert error < 1e-5, error
    return f"largest difference {error:.1e}"


def seconds(place: Place, run: Callable[[], object], repeats: int) -> float:
    """Return the best time of some calls, after one that warms up."""
    run()
    best = float("inf")
    for _ in range(repeats):
        place.wait()
        began = time.perf_counter()
        run()
        place.wait()
        best = min(best, time.perf_counter() - began)
    return best


def utilization(place: Place) -> str:
    """Tokens per second and MFU of steps at the shapes of Qwen3-0.6B, and the share of the time that batches take."""
    model = place.model()
    replica, form = replica_of(place, model), form_of(model)
    batch = batch_of(*((4, 2, 12) if place.tiny else (96, 7, 80)), model.config.vocab_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        backward(replica, batch, form, whole_tokens=WHOLE)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    taken = seconds(place, step, 2 if place.tiny else 5)
    lengths = batch.segments.lengths
    dtype = torch.bfloat16 if place.on_gpu else torch.float32
    mfu = Cost.of(model.backbone).step(lengths) / taken / measured_peak(place.device, dtype)
    making = seconds(place, lambda: batch_of(len(batch.query_rows), 2, 12, 512), 3)
    if place.on_gpu:
        assert mfu >= GOAL_MFU, mfu
    return (
        f"{int(lengths.sum()) / taken:,.0f} tokens/s, MFU {mfu:.0%}, a batch is made in {making / taken:.2%} of a step"
    )


def peers(place: Place) -> str:
    """A step beside sentence-transformers' losses and a rewrite of the public trainer's, at equal weights and texts."""
    queries = 8 if place.tiny else 32
    nested, plain = training.Texts(queries, 2 if place.tiny else 7), training.Texts(4 * queries, 0)
    device, half, told = place.device, place.on_gpu, []
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        races = [
            (
                "public trainer",
                training.ours(nested, layers=training.LAYERS, nested=True, device=device, half=half),
                training.rewrite(nested, torch.bfloat16, device),
            ),
            (
                "Matryoshka2d",
                training.ours(plain, layers=training.LAYERS, nested=False, device=device, half=half),
                training.sentence_transformers(plain, folder / "2d", cached=False, device=device),
            ),
            (
                "cached",
                training.ours(
                    plain, layers=(training.DEPTH,), nested=False, cached=True, device=device, half=place.on_gpu
                ),
                training.sentence_transformers(plain, folder / "cached", cached=True, device=device),
            ),
        ]
        for name, own, other in races:
            losses = own(), other()
            assert abs(losses[0] - losses[1]) < 0.05 * losses[1], (name, losses)
            repeats = 1 if place.tiny else 3
            speed = seconds(place, other, repeats) / seconds(place, own, repeats)
            told.append((name, speed))
    if place.on_gpu:
        assert min(speed for _, speed in told) >= GOAL_SPEED, told
    return ", ".join(f"{speed:.1f} × {name}" for name, speed in told)


def search(place: Place) -> str:
    """Exact search on the device finds what the CPU finds."""
    rng = np.random.default_rng(4)
    documents, queries, dim = (500, 40, 32) if place.tiny else (200_000, 4000, 256)
    vectors = rng.standard_normal((documents + queries, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found: list[Any] = []
    taken = seconds(
        place, lambda: found.append(exact_topk(vectors[:queries], vectors[queries:], 10, device=place.device)), 1
    )
    some = exact_topk(vectors[:20], vectors[queries:], 10)
    assert np.array_equal(found[-1].ids[:20], some.ids)
    return f"{queries * documents / taken:,.0f} scores/s"


def embedding(place: Place) -> str:
    """Texts encoded without gradients on the device: the vectors are those of one text at a time."""
    model = place.model(layers=None if place.tiny else 8).eval()
    replica_of(place, model)
    texts = batch_of(16 if place.tiny else 512, 0, 12 if place.tiny else 100, model.config.vocab_size).segments
    with torch.no_grad():
        together = torch.nn.functional.normalize(model(texts)[-1], dim=1)
        alone = [model(texts.take(np.array([i])))[-1][0] for i in range(4)]
        taken = seconds(place, lambda: model(texts), 2)
    error = max(float(1 - together[i] @ torch.nn.functional.normalize(v, dim=0)) for i, v in enumerate(alone))
    assert error < (1e-2 if place.on_gpu else 1e-5), error
    return f"{len(texts.ids) / taken:,.0f} tokens/s, one minus cosine {error:.1e}"


CHECKS = (attention, float32, memory, deterministic, compiled, adamw, utilization, peers, search, embedding)


def main(arguments: list[str] | None = None) -> int:
    """Run the checks; the exit code is the number of those that failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small shapes")
    parser.add_argument("--only", nargs="*", choices=[check.__name__ for check in CHECKS], help="some checks")
    parser.add_argument("--json", type=Path, help="also write the lines here")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    place, lines, failed = Place(given.device, given.tiny), {}, 0
    for check in CHECKS:
        if given.only and check.__name__ not in given.only:
            continue
        began = time.perf_counter()
        try:
            line = f"ok      {check.__name__}: {check(place)}"
        except Exception as error:
            traceback.print_exc()
            line, failed = f"FAILED  {check.__name__}: {type(error).__name__}: {error}", failed + 1
        lines[check.__name__] = f"{line} ({time.perf_counter() - began:.1f} s)"
        print(lines[check.__name__], flush=True)
        if place.on_gpu:
            torch.cuda.empty_cache()
    if given.json:
        given.json.write_text(json.dumps(lines, indent=1) + "\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
