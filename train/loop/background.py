"""Checkpoints that are written while training goes on.

Weights and moments are copied into the memory of the host, which is all that a step waits for; a thread writes the
copy. A checkpoint appears when it is whole, as one that the loop writes itself. The next one waits for the one before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from train.distributed.parallel import Group
from train.loop.checkpoint import (
    Position,
    drop_old,
    moments_by_name,
    put_shards,
    refusal,
    shard_writer,
    sharded_state,
    write_folder,
)
from train.model.sharding import local_part


def staged_bytes(model: nn.Module) -> int:
    """Return the host memory that a copy of weights and moments takes in this process."""
    parameters = [(local_part(parameter), parameter.requires_grad) for parameter in model.parameters()]
    return sum(p.numel() * p.element_size() * (3 if trained else 1) for p, trained in parameters)


class BackgroundWriter:
    """Writes one checkpoint at a time in a thread."""

    def __init__(self, group: Group) -> None:
        """Prepare for the processes of a group; a collective call."""
        self._group = group
        # The thread talks to those of the other processes while the loop uses the other group.
        self._beside = dist.new_group(backend="gloo") if group.size > 1 else None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def save(
        self, root: Path, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer, *, kept: int
    ) -> None:
        """Copy the state and start writing it; arguments as for `train.loop.checkpoint.save`.

        Raises:
            Exception: what the checkpoint before could not be written for.

        """
        self.finish()
        if isinstance(model, FSDPModule):
            write = self._staged_shards(root, position, model, optimizer)
        elif self._group.leads:
            weights, moments = (_copied(part) for part in (model.state_dict(), moments_by_name(model, optimizer)))

            def write() -> None:
                write_folder(root / f"{position.done:08d}", position, weights, moments)
        else:
            return

        def run() -> None:
            try:
                write()
                if self._group.leads:
                    drop_old(root, kept)
            except OSError as error:
                self._error = refusal(error, root, model)
            except BaseException as error:  # the loop raises it
                self._error = error

        self._thread = threading.Thread(target=run, name="train3d-checkpoint", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what the last checkpoint could not be written for, if that is known; waits for nothing."""
        if self._error is not None:
            self.finish()

    def join(self) -> None:
        """Wait until the last checkpoint is written or has failed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finish(self) -> None:
        """Wait until the last checkpoint is written.

        Raises:
            Exception: it could not be written.

        """
        self.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _staged_shards(
        self, root: Path, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> Callable[[], None]:
        """Copy this process's shards, and return what writes them; a collective call, as is what it returns."""
        from torch.distributed.checkpoint.state_dict_saver import async_save

        folder = root / f"{position.done:08d}"
        writer = shard_writer(folder, self._group)
        saving = async_save(sharded_state(model, optimizer), storage_writer=writer, process_group=self._beside)
        assert not hasattr(saving, "staging_completion")

        def write() -> None:
            saving.result()
            dist.barrier(self._beside)
            if self._group.leads:
                put_shards(folder, position)

        return write


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
