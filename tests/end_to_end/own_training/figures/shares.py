"""Shares of the label, by a column."""

from collections import defaultdict


def shares(rows, column):
    """The mean label of each value."""
    labels = defaultdict(list)
    for row in rows:
        labels[row[column]].append(float(row["label"]))
    return {value: sum(known) / len(known) for value, known in labels.items()}
