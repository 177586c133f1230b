"""Inference logs: records of a model's answers, written by the team that serves it."""
