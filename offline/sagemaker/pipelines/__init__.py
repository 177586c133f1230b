"""SageMaker Pipelines: definitions, and executions that run training steps for real."""
