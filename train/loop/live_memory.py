"""Peak of the memory that tensors take in a block of code, counted tensor by tensor; also on the device `meta`."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's `__init_subclass__`
    """Counts the bytes of all storages that operations create in the block, until they are freed.

    On the device `meta` tensors have sizes and no data, so that a computation of any size can be measured on any
    machine. Workspaces of kernels are not counted.

    Attributes:
        live: bytes of the storages that are there now.
        peak: the highest value of `live`.

    """

    def __init__(self, *, meta: bool = False) -> None:
        """Start at zero.

        Args:
            meta: count tensors on the device `meta`, and no others; otherwise all but these.

        """
        super().__init__()  # type: ignore[no-untyped-call] # torch has no type for it
        self.live = self.peak = 0
        self._meta = meta
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, and count the storages of its results."""
        result = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, result)
        return result

    def _count(self, tensor: Tensor) -> Tensor:
        local: Tensor = getattr(tensor, "_local_tensor", tensor)
        storage = local.untyped_storage()
        key = storage._cdata
        if key not in self._known and local.is_meta == self._meta:
            size = storage.nbytes()

            def freed(_: object) -> None:
                self.live -= size
                del self._known[key]

            self._known[key] = weakref.ref(storage, freed)
            self.live += size
            self.peak = max(self.peak, self.live)
        return tensor
