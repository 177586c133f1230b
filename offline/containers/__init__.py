"""The processes in which training scripts and inference containers run."""
