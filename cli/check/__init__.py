"""`kedge check`: `question` decides what to compare, `judge` compares it, `table` shows it."""
