"""What a model costs a month: `pricing` measures and writes, `points` runs the handlers, `templates` counts what is deployed."""

from benchmarks.cost.pricing import section

__all__ = ["section"]
