"""What a model is looked at for once a day, beside its windows: packages that wait, labels that stay away, what grows old."""
