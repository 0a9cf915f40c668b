"""Adapters: shapes for single datasets whose records no general shape fits, one module each."""
