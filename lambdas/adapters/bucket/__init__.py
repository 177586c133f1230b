"""The data bucket: one file for each kind of object."""
