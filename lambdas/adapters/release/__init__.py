"""Endpoints, their alarms, and the Model Registry, as a release reads and changes them."""
