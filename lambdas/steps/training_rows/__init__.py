"""The rows that a retraining may use, wherever they are selected."""
