"""Pages that are renewed: one for each model, and one for all of them; and the charts over time that they share."""
