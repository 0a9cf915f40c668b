"""Step `identify`: the operations over shards."""
