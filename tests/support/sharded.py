"""What one of several processes does in `test_sharding`: start from a backbone, train, save and export, sharded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from open_ml_embed.factorized.embedding import FactorizedEmbedding
from tests.support.processes import leave, whole
from train.config_file import load_settings
from train.export.export import Cut, export
from train.loop import checkpoint, loop
from train.loop.checkpoint import Position
from train.loop.live_memory import LiveMemory
from train.loop.loop import Trainer
from train.loop.run import Run


def main(folder: Path) -> None:
    """Leave the weights after some steps, an export, and the peaks of memory in a folder."""
    run = Run(load_settings(folder / "params.yaml", None)[1], folder / "work")
    run.empty_model()  # imports allocate
    peaks = {}
    own_spread = loop.spread

    def measured(*arguments, **named):
        with LiveMemory() as memory:
            replica = own_spread(*arguments, **named)
        peaks["start"] = memory.peak
        return replica

    loop.spread = measured
    own = FactorizedEmbedding.from_weight.__func__

    def elsewhere(cls, weight, rank):
        """Decompose as on another machine: the same table, other factors."""
        made = own(cls, weight, rank)
        sign = -1 if trainer_rank() else 1
        return cls(sign * made.left.detach(), sign * made.right.detach())

    FactorizedEmbedding.from_weight = classmethod(elsewhere)
    trainer = Trainer(run)
    group, model = trainer.group, trainer.model
    first = {name: whole(value).clone() for name, value in model.state_dict().items()}
    steps = trainer.steps()
    for _ in range(4):
        next(steps)
    with LiveMemory() as memory:
        checkpoint.save(folder / "checkpoints", Position(0, 4, 4), model, trainer.optimizer, group=group)
    peaks["save"] = memory.peak
    cut = Cut(2, 16, 8)
    with LiveMemory() as memory:
        export(model, run.tokenizer, folder / "export", cut=cut, shape=trainer.shape, prompts={}, instructed=False,
               writes=group.leads)  # fmt: skip
    peaks["export"] = memory.peak
    weights = {name: whole(value).clone() for name, value in model.state_dict().items()}
    moments = {f"{name}/{key}": whole(value).clone() for name, parameter in model.named_parameters()
               for key, value in trainer.optimizer.state[parameter].items()}  # fmt: skip
    later = [next(steps)["loss"] for _ in range(2)]
    again = Trainer(run)
    assert again.position.done == 4
    assert all(torch.equal(whole(value), weights[name]) for name, value in again.model.state_dict().items())
    goes_on = again.steps()
    assert [next(goes_on)["loss"] for _ in range(2)] == later
    torch.save({"first": first, "weights": weights, "moments": moments}, folder / f"state-{group.rank}.pt")
    (folder / f"peaks-{group.rank}.json").write_text(json.dumps(peaks))
    leave()


def trainer_rank() -> int:
    """Return the number of this process."""
    return torch.distributed.get_rank()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
