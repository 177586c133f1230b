"""Transform jobs: their filters, their work, and what they capture."""
