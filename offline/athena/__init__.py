"""Athena: runs SQL over the catalogue's tables."""
