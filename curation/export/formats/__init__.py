"""The formats of other trainers, a module each."""
