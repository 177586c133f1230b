"""All that is known of how good one window's answers are, judged in one place.

`window` judges what was measured, estimated and found by group, with the business's figures, for the monitor, `kedge check`
and `kedge backtest` alike; `kept` reads it from a window's report.
"""
