"""Lambda: `runtime` runs handlers from their staged assets, with their layers, their errors and asynchronous events."""
