"""Exports are read, and trained on, by the programs that they are for, each in an environment of its own."""
