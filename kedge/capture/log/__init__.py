"""Inference logs: what whoever serves a model wrote of its answers."""
