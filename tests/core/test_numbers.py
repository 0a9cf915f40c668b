"""What all packages count and hash with: offsets of lists, and the mixing of splitmix64."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.splitmix import GOLDEN, mixed
from open_ml_embed.core.text.tokens import mix64, mix_all


@pytest.mark.parametrize(
    ("lengths", "offsets"),
    [
        ([], [0]),
        ([2, 0, 3], [0, 2, 2, 5]),
        (np.array([200, 200], np.uint8), [0, 200, 400]),
        (np.array([2**31 - 1, 2**31 - 1], np.int32), [0, 2**31 - 1, 2**32 - 2]),
        (np.array([True, False, True]), [0, 1, 1, 2]),
        (pa.array([], pa.int32()), [0]),
        (pa.array([4, 1], pa.int32()), [0, 4, 5]),
    ],
)
def test_offsets_are_int64_of_whatever_lengths(lengths, offsets):
    found = offsets_of(lengths)
    assert (found.dtype, found.tolist()) == (np.int64, offsets)


def test_splitmix64_gives_the_values_of_its_authors():
    """The first three draws of the seed 1234567, as the reference implementation prints them."""
    states = np.uint64(1234567) + np.arange(1, 4, dtype=np.uint64) * np.uint64(GOLDEN)
    draws = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert mixed(states).tolist() == mix_all(states).tolist() == [int(mix64(state)) for state in states] == draws


def test_a_compiled_function_takes_what_numba_takes():
    @njit
    def plain(x: int) -> int:
        return x + 1

    @njit(nogil=True, inline="always")
    def inlined(x: int) -> int:
        return plain(x) + 1

    assert (plain(1), inlined(1)) == (2, 3)
    options = inlined.targetoptions
    assert (options["nogil"], options["inline"]) == (True, "always")
