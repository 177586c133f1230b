"""The function `deliver` against a server that plays the services with their limits and habits."""
