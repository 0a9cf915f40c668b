"""`curate probe`: the heads of raw files, looked at before a long download."""
