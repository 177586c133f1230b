"""Training jobs: their work, and the algorithms that SageMaker has itself."""
