"""Step `fetch`: the raw files of every source."""
