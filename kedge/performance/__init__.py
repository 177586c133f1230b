"""Measured quality of a window against the champion's reference.

`window` measures and judges, `limits` holds each metric's limit, `business` adds the business's own figures,
`paired` compares two models on the same rows, `verdicts` are what others ask of a window's quality.
"""
