"""Training of the bundled identifier: collecting labeled text, fitting, calibrating."""
