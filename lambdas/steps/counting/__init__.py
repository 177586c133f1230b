"""Captured rows on their way into a day's counts."""
