"""A training run: steps, checkpoints, metrics, and what must hold before it starts."""
