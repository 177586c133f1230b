"""When people hear of a window, and in which words.

`verdicts` takes a judged window apart, `episode` decides when it is told: as it begins, becomes worse, lasts and
ends.
"""
