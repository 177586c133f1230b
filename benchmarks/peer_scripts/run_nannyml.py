"""nannyml's usual report on two files: univariate drift of every column with its default methods and chunks."""

import sys

import nannyml
import pandas as pd

before, now = (pd.read_parquet(path) for path in sys.argv[1:3])
calculator = nannyml.UnivariateDriftCalculator(column_names=list(before.columns)).fit(before)
print(calculator.calculate(now).to_df().shape)
