"""Hypothesis without a stopwatch (a busy machine is no failure), and with the same examples on every run."""

from hypothesis import settings

settings.register_profile("kedge", deadline=None, derandomize=True)
settings.load_profile("kedge")
