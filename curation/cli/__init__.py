"""The command-line interface `curate`."""
