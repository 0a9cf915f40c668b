"""A released corpus as a build of its own: its files looked at, a manifest for each of its sources, settings, mixes."""
