"""A window's quality counted where its rows lie: Athena's SQL, and what its counts mean.

`values` writes single values in SQL, `joined` the joined rows, `facts` what is counted first, `counts` and `groups` the rest, and
`evidence` reads the counts as those that `kedge.quality` judges.
"""
