"""A retraining rehearsed on this machine: the first rows against the YAML, and the training and serving scripts on a few of them."""
