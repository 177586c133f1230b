"""The pure library: numbers and decisions. No boto3, no clock, no files.

Each room says in its own docstring what it knows; `tests/architecture/test_rooms.py` holds who may import whom. Every
room uses: `errors`, `severity`, `intervals`, `arrays`, `own_columns` (names that no column of a
model can have) and `comparisons` (two values of a metric in words). `model_monitor` writes Model Monitor's files from
the rooms' results.
"""
