"""Hard negatives that are not positives in disguise."""
