"""What a value is, before anything is counted.

`casting` turns values into the declared kind, `times` and `ages` read instants, `class_codes` gives classes one
spelling, `margins` measures how certain an answer is, `shown_values` says whether a sentence may show a value.
"""
