"""Whether to retrain, and with which rows.

`decision` decides from the current state, `sustained` is its rule for lasting losses, `labelled_history` and `rows`
gather the rows, `snapshot` splits them in time, `permutation` weighs features.
"""
