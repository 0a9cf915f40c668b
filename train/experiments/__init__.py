"""Experiments: trainings that differ in one thing, over several seeds, with their tables and pictures."""
