"""Returns unused memory of this process to the operating system."""

from __future__ import annotations

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Return freed memory to the operating system: that of Arrow's pool, and that of glibc's heap (`malloc_trim`)."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # other C libraries have no `malloc_trim`
        trim(0)
