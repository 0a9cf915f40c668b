"""From annotated rows to the mixes that are trained on: the only step that leaves rows out."""
