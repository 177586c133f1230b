"""`kedge backtest`: `question` settles what is replayed, `run` replays it, `document` and `table` show it."""
