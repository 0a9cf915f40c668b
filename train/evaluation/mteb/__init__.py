"""Evaluation on MTEB: whole benchmarks or single tasks, resumable, for several cuts of a model in one pass."""
