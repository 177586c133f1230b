"""What a decision to retrain needs beside the model's own state: events of other programs, and the line for a limited number of starts."""
