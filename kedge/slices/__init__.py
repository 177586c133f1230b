"""Where a model fails, and whom.

`ruler` and `groupings` cut rows into groups, `counts` counts them, `segments` finds the worst, `concept_drift` what
moved, `fairness` whether groups of people are treated alike; `judgement` is all of it for a window.
"""
