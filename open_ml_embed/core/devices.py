"""Checks and selects the device that a model runs on, before any preparation and without initializing the device."""

from __future__ import annotations

import os

import torch

from open_ml_embed.core.errors import SettingsError


def require(device: str) -> None:
    """Check that a device is available on this machine and to this process.

    Args:
        device: PyTorch's name, as `cpu`, `cuda` or `cuda:1`.

    Raises:
        SettingsError: PyTorch knows no such kind of device, this machine has none, or it has fewer than the processes
            that torchrun started on it.

    """
    where = f"train.device: {device}"
    requested = _parsed(device)
    try:
        # `device_count` does not initialize a device; each process of torchrun must initialize its own only.
        count = int(torch.get_device_module(requested).device_count())
    except RuntimeError:
        count = 0
    if not count:
        raise SettingsError(
            f"there is no {requested.type} device here that PyTorch {torch.__version__} can use",
            where=where,
            remedy="run this on a machine that has one, with a PyTorch built for it, or set `device: cpu`",
        )
    if requested.type == "cpu":
        return
    number = requested.index or 0
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        number = int(os.environ["LOCAL_RANK"])
    if number >= count:
        raise SettingsError(
            f"there is no {requested.type} device {number}: this machine has {count}",
            where=where,
            remedy="start one process a device (`--nproc-per-node`), or name one that is there",
        )


def chosen() -> str:
    """Return `cuda` if PyTorch can use a GPU in this process, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def present(device: str) -> bool:
    """Return whether a device is available on this machine and to this process.

    Raises:
        SettingsError: PyTorch knows no such kind of device.

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
