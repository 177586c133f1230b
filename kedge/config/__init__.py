"""A model as its YAML describes it.

`model` is the whole, `sections` says what the model is, `policies` what is decided about it, `metrics` which metrics
a kind of problem has; `reading` reads the YAML and says what is wrong with it.
"""
