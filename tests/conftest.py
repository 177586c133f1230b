"""What holds for every test: botocore's models are parsed once, and handlers know the example's model alone."""

import functools

import botocore.session

from lambdas.adapters import models
from tests.synthesised import example_models

# Every mock begins a new session, and each would parse a service's model again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# What a user keeps in models/ changes no test.
models.DIRECTORY = example_models()
