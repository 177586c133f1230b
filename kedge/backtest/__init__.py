"""A history judged as the functions would have judged it.

`window` judges one window, `grid` lays windows out, `replay` runs a policy over them, `proposal` finds thresholds.
"""
