"""Kernels that read text straight from Arrow buffers."""
