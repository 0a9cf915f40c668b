"""The ML-Embed corpus, rebuilt in the open, and a trainer to match."""
