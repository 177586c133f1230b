"""The statistics, one a file, each a function of counts over the baseline's own cells.

`every_statistic` lists those that a report carries. The multiple-testing correction (`holm`) stands beside them.
"""
