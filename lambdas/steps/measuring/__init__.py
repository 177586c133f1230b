"""A window measured: its rows joined, here or by Athena, counted and judged."""
