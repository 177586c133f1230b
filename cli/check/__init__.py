"""`kedge check`: `question` settles what is compared, `judge` compares it, `table` shows it."""
