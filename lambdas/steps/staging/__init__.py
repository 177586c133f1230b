"""What is sent to a challenger on trial, and how."""
