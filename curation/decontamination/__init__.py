"""Decontamination: finds rows that contain evaluation texts (equal, near-duplicate or contained), and of which task."""
