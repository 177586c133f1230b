"""Rows as counts over cells that the baseline froze.

`baseline` is the ruler and the profiles cut with it, `freezing` makes it, `counting` counts rows with it, `day` adds
hours up and `encoding` keeps all of them as bytes. `bins`, `levels`, `cell_index` and `cell_sums` are its parts;
`design_effect`, `row_order` and `row_sample` say what the order of rows hides.
"""
