"""Training of the bundled identifier: collecting labelled text, fitting, calibrating."""
