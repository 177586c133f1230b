"""`kedge ...`: what a person types."""
