"""Step `mine`: its operations over pools and shards."""
