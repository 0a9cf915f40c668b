"""Exact top-k search by inner product, on CPUs and GPUs, and an approximate one for very large pools."""
