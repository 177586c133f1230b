"""`kedge cost`: what a model costs a month, before it is deployed."""
