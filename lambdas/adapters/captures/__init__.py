"""What endpoints and transform jobs captured: listed, and read as answers."""
