"""The build as a whole: its settings, what is current, what each step did, and how DVC and people see it."""
