"""SageMaker: jobs, models, endpoints, their updates, the registry and Data Capture."""
