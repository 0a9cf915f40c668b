"""Times contestants alternately in one run, and prints medians and ratios to the first one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def compare(
    title: str,
    contestants: dict[str, tuple[Callable[[], object], int]],
    *,
    rounds: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Time each contestant `rounds` times, alternately, and return the median rates; a contestant is (function, items).

    With `time.process_time` as the clock, rates are per second of CPU time of all threads, independent of other load.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (function, items) in contestants.items():
            start = clock()
            function()
            rates[name].append(items / (clock() - start))
    median = {name: statistics.median(values) for name, values in rates.items()}
    base = next(iter(median.values()))
    print(f"{title}\n  {'':14} {'median/s':>12} {'min/s':>12} {'max/s':>12} {'first is':>10}")
    for name, values in rates.items():
        print(
            f"  {name:14} {median[name]:12,.0f} {min(values):12,.0f} {max(values):12,.0f} {base / median[name]:9.1f}×"
        )
    return median
