"""The 3D-ML trainer: nested embedding ranks, layers and dimensions on the curated mixes."""
