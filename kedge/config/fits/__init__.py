"""Whether the sections of a model's YAML fit each other."""
