"""The stage of a deployment, and the names that it gives: the one place where a name learns which Kedge it belongs to.

Without a stage a name is what it has always been. With one the stage stands in front, so that no name, and no pattern of names, of one
Kedge covers another's (ADR 32).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kedge.errors import StageNameError

# Where a function, and the `kedge` command, find the stage.
VARIABLE = "KEDGE_STAGE"
# The tags of all that a deployment has, and of what is made for one model: what they cost is found by them.
STAGE_TAG, MODEL_TAG = "kedge:stage", "kedge:model"
# No hyphen: "dev" must not be the beginning of another stage's names.
_STAGE = re.compile(r"[a-z][a-z0-9]{0,11}")
# SageMaker takes 63 characters for an endpoint config, which ends in "-v", a version and the digest of its run.
ENDPOINT_CHARACTERS = 63
RESOURCE_CHARACTERS = 63 - len("-v9999-01234567")


@dataclass(frozen=True)
class Stage:
    """One Kedge among several of an account; the one without a name is the only one, or the first.

    >>> Stage("dev").named("kedge-retrain"), Stage().named("kedge-retrain")
    ('dev-kedge-retrain', 'kedge-retrain')
    """

    name: str = ""

    def __post_init__(self) -> None:
        if self.name and not _STAGE.fullmatch(self.name):
            raise StageNameError(name=self.name)

    def named(self, name: str) -> str:
        """The name of something of this stage: a stack, machine, alarm, topic, queue, secret, or what SageMaker keeps."""
        return f"{self.name}-{name}" if self.name else name

    def plain(self, name: str) -> str:
        """The name without its stage.

        >>> Stage("dev").plain("dev-kedge-retrain"), Stage().plain("kedge-retrain")
        ('kedge-retrain', 'kedge-retrain')
        """
        return name.removeprefix(f"{self.name}-") if self.name else name

    def database(self, name: str) -> str:
        """The name of a Glue database, in which SQL would have a hyphen quoted.

        >>> Stage("dev").database("kedge_history")
        'dev_kedge_history'
        """
        return f"{self.name}_{name}" if self.name else name

    @property
    def namespace(self) -> str:
        """The namespace of Kedge's metrics; CloudWatch's searches would have a hyphen quoted.

        >>> Stage("dev").namespace, Stage().namespace
        ('dev/Kedge', 'Kedge')
        """
        return f"{self.name}/Kedge" if self.name else "Kedge"

    @property
    def tag(self) -> tuple[str, str]:
        """Key and value of the tag of all that this Kedge has; no stage can be called like the one without a name.

        >>> Stage("dev").tag, Stage().tag
        (('kedge:stage', 'dev'), ('kedge:stage', '-'))
        """
        return STAGE_TAG, self.name or "-"

    @property
    def words(self) -> str:
        """The stage in a sentence.

        >>> Stage("dev").words, Stage().words
        ('stage dev', 'the deployment without a stage')
        """
        return f"stage {self.name}" if self.name else "the deployment without a stage"


NO_STAGE = Stage()
