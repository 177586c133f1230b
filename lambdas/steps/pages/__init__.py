"""What pages and widgets show, gathered."""
