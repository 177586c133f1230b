"""Answers beside the truth, as counts that add.

`outcomes` reads both sides, `counts` counts them for any problem: `binary`, `multiclass`, `regression`; `score_cells`
is the ruler of scores, `costs` the cost of wrong answers.
"""
