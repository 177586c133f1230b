"""Rows of files: found, opened, read a batch at a time, with what is wrong with them in sentences."""
