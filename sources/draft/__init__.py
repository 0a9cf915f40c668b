"""Drafts a manifest from a dataset itself: its file names, the head of one file, and its card."""
