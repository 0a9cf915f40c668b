"""Turns raw public datasets into rows: manifests, fetching, readers, shapes and normalization."""
