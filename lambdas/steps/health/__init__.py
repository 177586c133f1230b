"""What models are looked at for beside their windows: what rings, packages that wait, labels that stay away, what grows old."""
