"""botocore parses a service's model once a process: every mock begins a new session, and each would parse them again."""

import functools

import botocore.session

botocore.session.create_loader = functools.cache(botocore.session.create_loader)
