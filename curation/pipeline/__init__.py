"""The build as a whole: plan, freshness of results, outcome of steps, status, and pipelines for DVC."""
