"""Step `decontaminate`: its operations over shards."""
