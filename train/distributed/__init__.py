"""Many processes: sharding, gathers, and what only one of them does."""
