"""`curate verify`: whether everything a build has written still has the bytes that were written."""
