"""Evaluation: retrieval metrics at every depth, dimension and rank on held-out samples, and MTEB."""
