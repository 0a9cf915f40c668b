"""Exact search for the best documents of every query, on CPUs and GPUs."""
