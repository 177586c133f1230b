"""What a value is, before anything is counted.

`casting` turns values into the declared kind, `times` and `ages` read instants, `class_codes` gives classes one
spelling, `margins` is how sure an answer is, `shown_values` says whether a value may stand in a sentence.
"""
