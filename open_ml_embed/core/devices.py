"""Where a model runs: asked before anything is prepared for it, and without starting the device."""

from __future__ import annotations

import os

import torch

from open_ml_embed.core.errors import SettingsError


def require(device: str) -> None:
    """Refuse a device that is not on this machine, or not there for this process of it.

    Raises:
        SettingsError: there is no such kind of device, none of it here, or fewer than the processes that torchrun
            started on this machine.

    """
    where = f"train.device: {device}"
    asked = _parsed(device)
    try:
        # Counting starts no device: each process of torchrun is to start its own alone.
        count = int(torch.get_device_module(asked).device_count())
    except RuntimeError:
        count = 0
    if not count:
        raise SettingsError(
            f"there is no {asked.type} device here that PyTorch {torch.__version__} can use",
            where=where,
            remedy="run this on a machine that has one, with a PyTorch built for it, or set `device: cpu`",
        )
    if asked.type == "cpu":
        return
    number = asked.index or 0
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        number = int(os.environ["LOCAL_RANK"])
    if number >= count:
        raise SettingsError(
            f"there is no {asked.type} device {number}: this machine has {count}",
            where=where,
            remedy="start one process a device (`--nproc-per-node`), or name one that is there",
        )


def chosen() -> str:
    """Return the accelerator of this process, or the CPU: `cuda` or `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def present(device: str) -> bool:
    """Tell whether a device is here.

    Raises:
        SettingsError: there is no such kind of device anywhere.

    """
    _parsed(device)
    try:
        require(device)
    except SettingsError:
        return False
    return True


def _parsed(device: str) -> torch.device:
    try:
        return torch.device(device)
    except RuntimeError:
        raise SettingsError(
            f"{device!r} is no device", where="train.device", remedy="set `device: cpu`, or `device: cuda` for GPUs"
        ) from None
