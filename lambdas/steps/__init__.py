"""What several handlers do, or one that is long: a step of its own each.

A step gathers, decides and acts like a handler, and is called by one.
"""
