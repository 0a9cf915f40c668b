"""nDCG of every depth, dimension and rank on held-out samples; MTEB."""
