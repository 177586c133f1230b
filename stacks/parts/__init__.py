"""The one way we make a function, a machine, a queue, a role."""
