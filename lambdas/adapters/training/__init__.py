"""What a retraining reads and writes: its data, jobs, artefacts and answers."""
