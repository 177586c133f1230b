"""The history for business intelligence: which tables there are, how reports become rows, and the SQL that reads them."""
