"""Whether a challenger may be proposed.

`challenger` compares it with the champion on the same holdout rows, `groups` does so for each group, `business` by
the business's figures.
"""
