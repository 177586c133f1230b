"""SageMaker Model Monitor, as far as its schedules can be read."""
