"""The state table: one file for each kind of item."""
