"""Adapters: one module for each dataset whose records need code of their own; same interface as a shape."""
