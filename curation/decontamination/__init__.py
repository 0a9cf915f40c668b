"""Which rows of the corpus hold texts of evaluation sets: exact, near-duplicate or contained, and of which task."""
