"""A challenger tried on a temporary endpoint before it is proposed.

`requests` says what a captured record sent, and `load` how many requests are replayed, and how fast. `record` is what came of
them so far; `rows` judges it, as rows of the gate's table.
"""
