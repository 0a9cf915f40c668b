"""Step `normalize`: convert raw records to rows."""
