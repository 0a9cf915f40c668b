"""The statistics report: one HTML file from what the steps left on disk."""
