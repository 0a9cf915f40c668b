"""The embedder: backbone, nested token embedding, sizes and presets."""
