"""What the gate needs to know beside the answers to the holdout."""
