"""Fixtures that several packages of tests use."""

from hypothesis import settings

pytest_plugins = ["tests.support.workshop"]

# A busy machine is no failure, nor is a function that is compiled when it is first called.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
