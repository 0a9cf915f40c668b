"""Training of the bundled language identifier: collection of labeled texts, fitting, calibration, model cards."""
