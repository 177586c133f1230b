"""Labels on their way to the rows that they belong to.

`records` reads a file, `search` and `fold` find each label's day, `ledger` remembers what was folded, `join` and
`join_sql` put answers beside labels, `horizon` learns when labels are complete.
"""
