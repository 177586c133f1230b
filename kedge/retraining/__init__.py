"""Whether to retrain, and with which rows.

`decision` decides from the state of the world, `sustained` is its rule for lasting losses, `labelled_history` and
`rows` gather what may be learnt from, `snapshot` splits it in time, `permutation` weighs features.
"""
