"""Step `dedup`: its operations over shards."""
