"""The statistics report: one HTML file, made from the results of the steps."""
