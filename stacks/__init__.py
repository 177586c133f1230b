"""What is deployed: one file per stack, in the order data flows."""

import os
import sys
from pathlib import Path

# aws_cdk starts Node as soon as it is imported, and the virtual environment brings Node beside its Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
