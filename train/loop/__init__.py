"""A training run: steps, checkpoints, metrics, and the checks before it starts."""
