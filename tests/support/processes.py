"""What one of several processes does in `test_distributed`: run as torchrun would, write what came out."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from tests.support.tiny_models import batch_of, embedder, exact_norms, form_of
from train.config import Memory
from train.distributed.parallel import Group, Replica, join, leave, spread, whole
from train.loop.memory_estimate import estimate
from train.loop.step import backward
from train.objective.loss import Taught

BATCHES: dict[str, Mapping[str, Any]] = {
    "retrieval": {},
    "many": {"queries": 9, "documents": 30, "negatives": 7},
    "clustering": {"in_batch": False},
    "few": {"queries": 1, "documents": 1, "negatives": 0},
}
FORMS: dict[str, Mapping[str, Any]] = {
    "default": {},
    "sides": {"bidirectional": True, "same_side": True},
    "upstream": {"preset": "upstream"},
    "scores": {"distillation": {"on": "scores", "teacher": "t"}},
    "embeddings": {"distillation": {"on": "embeddings", "teacher": "t"}},
}
CASES = [
    *((architecture, "ddp", "whole", "retrieval", "default") for architecture in ("qwen3", "eurobert")),
    *(
        ("qwen3", "ddp", kept, batch, "default")
        for kept in ("whole", "cached")
        for batch in ("many", "clustering", "few")
    ),
    *(("qwen3", "ddp", "cached", "retrieval", form) for form in FORMS),
    *((architecture, "fsdp", "cached", "many", "default") for architecture in ("qwen3", "eurobert")),
    *(("qwen3", "fsdp", "whole", batch, "sides") for batch in BATCHES),
    *(("bert", parallel, "cached", "many", "default") for parallel in ("ddp", "fsdp")),
    ("qwen3", "fsdp", "cached", "few", "scores"),
]


def taught_of(documents: int, queries: int) -> Taught:
    generator = torch.Generator().manual_seed(1)
    return Taught(*(torch.randn(n, 12, generator=generator, dtype=torch.float64) for n in (queries, documents)))


def outcome(case: tuple[str, ...], group: Any) -> dict[str, torch.Tensor]:
    """Return a step's loss and gradients, of processes or of one, and the loss after a move."""
    architecture, parallel, kept, batch_name, form = case
    model, batch = embedder(architecture, chunk_tokens=20), batch_of(**BATCHES[batch_name])
    model.embedding.rank = 4
    replica = spread(model, group, parallel=parallel)
    taught = taught_of(len(batch.document_rows), batch.queries)
    estimate(replica, Memory())
    tokens = 0 if kept == "cached" else 1 << 40
    stated = form_of(model, **FORMS[form])
    loss = backward(replica, batch, stated, whole_tokens=tokens, taught=taught)
    found = {f"loss.{name}": value for name, value in vars(loss).items()}
    found |= {name: whole(p.grad).clone() for name, p in model.named_parameters() if p.grad is not None}
    torch.optim.SGD(model.parameters(), lr=0.001).step()
    after = backward(replica, batch, stated, whole_tokens=tokens, taught=taught)
    return {**found, "loss.after": after.total}


def uneven(group: Any) -> dict[str, Any]:
    """Return what each process decides whose memory differs, and the loss of a step that follows from it."""
    model, batch = embedder(chunk_tokens=20), batch_of()
    replica = spread(model, group)
    budget = Memory(gib=1.0 if group.rank == 0 else 1e-4)
    said = estimate(replica, budget)
    loss = backward(replica, batch, form_of(model), whole_tokens=said.whole_tokens)
    return {"own": estimate(Replica(model, Group(), model, nullcontext), budget), "said": said, "loss": loss.total}


def run(processes: int, *arguments: str) -> None:
    """Start `python ARGUMENTS` so many times, as torchrun does, and wait."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error::UserWarning", "-W", "error::FutureWarning", *arguments]
    running = [
        subprocess.Popen(command, env={**os.environ, **world, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(processes)
    ]
    codes = []
    try:
        codes = [process.wait(timeout=600) for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0] * processes


def main(folder: Path) -> None:
    """Leave one file a case in a folder."""
    group = join("cpu")
    with exact_norms():
        for case in CASES:
            found = outcome(case, group)
            if group.rank == 0:
                torch.save(found, folder / f"{'-'.join(case)}.pt")
        torch.save(uneven(group), folder / f"uneven-{group.rank}.pt")
    leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
