"""`kedge backtest`: `question` decides what to replay, `run` replays it, `document` and `table` show it."""
