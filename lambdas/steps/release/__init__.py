"""What a release is watched, settled and tidied up by."""
