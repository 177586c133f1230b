"""An AWS account inside one process: moto, and what moto lacks, behind the same boto3 calls and on one clock."""

import os
from unittest.mock import patch

# moto asks boto3 for the regions while it is imported, and boto3 would look for the shell's profile.
with patch.dict(os.environ, {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}, clear=True):
    import moto.ec2.models  # noqa: F401
