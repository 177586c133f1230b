"""Where a model fails, and for whom.

`ruler` and `groupings` cut rows into groups, `counts` counts them, `segments` finds the worst, `concept_drift` finds
what moved, `fairness` compares groups of people. `judgement` does all of it for a window.
"""
