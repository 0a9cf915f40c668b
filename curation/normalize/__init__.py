"""Step `normalize`: raw records to rows."""
