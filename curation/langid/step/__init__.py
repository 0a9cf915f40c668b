"""Step `identify`: its operations over shards."""
