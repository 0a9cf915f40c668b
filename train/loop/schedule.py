"""Learning rates over the optimizer steps of a stage."""

from __future__ import annotations

import math

from train.config import Schedule


def learning_rate(step: int, *, peak: float, warmup: int, steps: int, schedule: Schedule | None = None) -> float:
    """Return the learning rate of an optimizer step: linear warm-up to the peak, then as the schedule says.

    >>> [round(learning_rate(s, peak=1.0, warmup=2, steps=6), 3) for s in (0, 1, 2, 4, 6, 100)]
    [0.5, 1.0, 1.0, 0.5, 0.0, 0.0]
    >>> wsd = Schedule(kind="wsd", decay=0.5)
    >>> [round(learning_rate(s, peak=1.0, warmup=2, steps=8, schedule=wsd), 3) for s in (0, 2, 4, 6, 8)]
    [0.5, 1.0, 1.0, 0.5, 0.0]

    Args:
        step: optimizer step of the stage, from 0.
        peak: highest rate.
        warmup: steps of the warm-up.
        steps: steps of the stage.
        schedule: how the rate goes on after the warm-up; None: a cosine to zero.

    """
    schedule = schedule or Schedule()
    if step < warmup:
        return peak * (step + 1) / warmup
    floor = schedule.floor
    if schedule.kind == "constant":
        left = 1.0
    elif schedule.kind == "wsd":
        decaying = max(1, round(schedule.decay * steps))
        left = min(1.0, max(0.0, (steps - step) / decaying))
    else:
        share = min(1.0, (step - warmup) / max(1, steps - warmup))
        left = 0.5 * (1 + math.cos(math.pi * share)) if schedule.kind == "cosine" else 1 - share
    return peak * (floor + (1 - floor) * left)
