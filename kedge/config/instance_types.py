"""What differs between SageMaker's instance types, told from their names."""

from __future__ import annotations

import re

# A `d` behind the generation says NVMe disks (m5d, c6gd, g4dn, p4de); these have them without saying so.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/InstanceStorage.html
_UNSAID = frozenset(
    [
        "dl1",
        "g5",
        "g6",
        "g6e",
        "g7",
        "g7e",
        "p5",
        "p5e",
        "p5en",
        "p6-b200",
        "p6-b300",
        "p6e-gb200",
        "trn1",
        "trn1n",
        "trn2",
    ]
)
_SAID = re.compile(r"[a-z]+\d+[a-z]*d[a-z]*")


def has_local_storage(instance_type: str) -> bool:
    """Whether the instances work on disks of their own, which their hardware encrypts: SageMaker refuses a key for them.

    >>> [has_local_storage(f"ml.{family}.xlarge") for family in ("m5", "m5d", "g4dn", "g5", "r6i")]
    [False, True, True, True, False]
    """
    family = instance_type.split(".")[1]
    return family in _UNSAID or _SAID.fullmatch(family) is not None
