"""Quality while labels are still out.

`estimators` chooses the estimate for a kind of problem, `calibration`, `expected_metrics` and `error_bands` compute
it, `report` judges it for a window, `track_record` keeps how right it was.
"""
