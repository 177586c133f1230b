"""One window against its baseline.

`report` judges a window whole; `column` judges one column from its `evidence`, `judge` corrects all tests together,
`column_quality` and `window_quality` judge the data themselves. `seasonal_baseline` chooses what a window is compared
with.
"""
