"""Step `fetch`: download the raw files of every source."""
