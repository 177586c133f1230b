"""One file per function, named as the step it is."""
