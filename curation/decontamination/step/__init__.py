"""Step `decontaminate`: the operations over shards."""
