"""Step `dedup`: the operations over shards."""
