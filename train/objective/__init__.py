"""The 3D-ML objective: contrastive loss over ranks, layers and dimensions, and its cached gradients."""
