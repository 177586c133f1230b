"""What else than a script trains a model, or how often: an algorithm of SageMaker's, and the search for its parameters."""
