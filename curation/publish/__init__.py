"""Publishes what a build made, mixes and models, as repositories of the Hub."""
