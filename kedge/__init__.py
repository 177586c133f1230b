"""The pure library: numbers and decisions. No boto3, no clock, no files."""
