"""Labels on their way to the rows that they belong to.

`records` reads a file, `search` and `fold` find each label's day, `ledger` remembers the folded files, `join` and
`join_sql` join answers with labels, `horizon` learns when labels are complete.
"""
