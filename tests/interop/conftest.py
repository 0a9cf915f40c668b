"""What pytest must not import: scripts that run elsewhere."""

collect_ignore = ["programs"]
