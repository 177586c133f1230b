"""How the history is kept in order: what it lacks, found in what is kept anyway, and its months as one object each."""
