"""`curate probe`: check the first records of remote raw files before a long download."""
