"""Training on several processes: sharding, gathering, and the work that only the leading process does."""
