"""What SageMaker trains and serves with: its roles, the training source, and the images of the models."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from kedge.config.model import ModelConfig
from kedge.config.sections import Vpc
from kedge.config.training import SOURCE_DIR, Training
from kedge.errors import ModelConfigError
from stacks.parts.access import (
    NO_RESOURCE_TYPE,
    allow,
    may_lend_key,
    may_read,
    may_see_alarms,
    may_use_key,
    may_write,
    service_role,
)
from stacks.parts.layers import BUILD, ROOT
from stacks.parts.network import may_join, with_network
from stacks.storage import Storage

IMAGES = "AWS's images live in AWS's accounts, and a model's YAML may name an image of any other"
COLON = cdk.ArnFormat.COLON_RESOURCE_NAME
SOURCE = ROOT / SOURCE_DIR


class Workshop(Construct):
    """The execution roles of jobs and endpoints, and what they run.

    What a container can write decides nothing: jobs write below `trained/` and `scored/`, endpoints below
    `capture/`. Rows, truth, evidence,
    baselines and the artefacts that are released lie where only functions write.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        storage: Storage,
        models: Sequence[ModelConfig],
        vpc: Vpc | None = None,
    ) -> None:
        super().__init__(scope, name)
        require_scripts(models)
        require_no_downloads(models)
        self.vpc = vpc
        self.sources = {name: self._source(name) for name in source_dirs(models)}
        self.images = framework_images(models, region=cdk.Stack.of(self).region)
        self.training_role = _training_role(self, storage=storage, sources=self.sources.values())
        self.scoring_role = _scoring_role(self, storage=storage, models=models)
        self.serving_role = _serving_role(self, storage=storage)
        trains, serves = with_network(models, serving=False), with_network(models, serving=True)
        # A container with a network can act as its role: it gets one that reaches its model's own objects alone.
        self.own_training_roles = {
            model.model: _training_role(self, storage=storage, sources=self.sources.values(), own=model.model)
            for model in trains
        }
        self.own_scoring_roles = {
            model.model: _scoring_role(self, storage=storage, models=models, own=model.model) for model in serves
        }
        self.own_serving_roles = {
            model.model: _serving_role(self, storage=storage, own=model.model) for model in serves
        }
        self._join_vpcs(models)

    def _join_vpcs(self, models: Sequence[ModelConfig]) -> None:
        roles: dict[iam.Role, list[Vpc | None]] = {}
        for model in (model for model in models if model.mode == "manage"):
            name, serving = model.model, model.endpoint.vpc or self.vpc
            roles.setdefault(self.own_training_roles.get(name, self.training_role), []).append(
                model.training.vpc or self.vpc
            )
            roles.setdefault(self.own_scoring_roles.get(name, self.scoring_role), []).append(serving)
            roles.setdefault(self.own_serving_roles.get(name, self.serving_role), []).append(serving)
        for role, vpcs in roles.items():
            may_join(role, vpcs)

    @property
    def own_job_roles(self) -> dict[str, dict[str, str]]:
        """The ARNs of the roles of models' own for their jobs, by model and kind."""
        found: dict[str, dict[str, str]] = {}
        for kind, roles in (("training", self.own_training_roles), ("scoring", self.own_scoring_roles)):
            for model, role in roles.items():
                found.setdefault(model, {})[kind] = role.role_arn
        return found

    @property
    def job_roles(self) -> list[iam.Role]:
        """The roles of training jobs and batch transforms."""
        own = [*self.own_training_roles.values(), *self.own_scoring_roles.values()]
        return [self.training_role, self.scoring_role, *own]

    @property
    def serving_roles(self) -> list[iam.Role]:
        """The roles of endpoints."""
        return [self.serving_role, *self.own_serving_roles.values()]

    def _source(self, name: str) -> assets.Asset:
        suffix = "" if name == SOURCE_DIR else named(name)
        return assets.Asset(self, f"TrainingSource{suffix}", path=str(pack_training_source(ROOT / name)))


def named(what: str) -> str:
    """A short name for a construct of something."""
    return hashlib.sha256(what.encode()).hexdigest()[:8].upper()


def images(stack: cdk.Stack) -> str:
    """The ARNs of the images of any account, in this region."""
    return stack.format_arn(service="ecr", account="*", resource="repository", resource_name="*")


def source_dirs(models: Iterable[ModelConfig]) -> list[str]:
    """The folders of scripts that some model trains with; Kedge's own is always among them."""
    return sorted({SOURCE_DIR, *(model.training.source_dir for model in models)})


def require_scripts(models: Iterable[ModelConfig], root: Path = ROOT) -> None:
    """Refuse a model whose entry point is not in its folder: its job would fail hours later."""
    for model in models:
        name, folder = model.training.entry_point, root / model.training.source_dir
        if not folder.is_dir():
            problem = f"training.source_dir is {model.training.source_dir!r}: there is no such folder in {root}"
            raise ModelConfigError(source=model.model, problems=[problem])
        scripts = sorted(path.name for path in folder.iterdir() if path.suffix in (".py", ".sh"))
        if name not in scripts:
            problem = f"training.entry_point is {name!r}: {model.training.source_dir}/ has {', '.join(scripts)}"
            raise ModelConfigError(source=model.model, problems=[problem])


def require_no_downloads(models: Iterable[ModelConfig], root: Path = ROOT) -> None:
    """Refuse requirements that would be downloaded where some container that installs them has no network."""
    for model in models:
        if model.training.network_isolation or model.endpoint.network_isolation:
            refuse_downloads(root / model.training.source_dir)


def refuse_downloads(source: Path) -> None:
    """Refuse requirements that would be downloaded: without a network jobs and endpoints would fail hours later."""
    file = source / "requirements.txt"
    lines = [line.partition("#")[0].strip() for line in file.read_text().splitlines()] if file.exists() else []
    wanted = [line for line in lines if line]
    if wanted and "--no-index" not in wanted:
        problem = (
            f"asks for {', '.join(wanted)}, and the container has no network to fetch it: build an image of your own and "
            "name it in training.image, or put the wheels beside it and begin the file with --no-index and --find-links . "
            "(training.network_isolation: false and endpoint.network_isolation: false together give both containers a network)"
        )
        raise ModelConfigError(source=f"{source.name}/{file.name}", problems=[problem])


def framework_images(models: Iterable[ModelConfig], *, region: str) -> dict[str, str]:
    """The URI of each framework's image that some model needs; a model may name an image of its own instead."""
    images = {}
    for model in models:
        training = model.training
        if training.image is None:
            try:
                images[training.framework_image] = _image(training.framework, training.framework_version, region)
            except ValueError as error:
                problem = f"training.framework_version is {training.framework_version!r}: {error}"
                raise ModelConfigError(source=model.model, problems=[problem]) from error
    return dict(sorted(images.items()))


@functools.cache
def _image(framework: str, version: str, region: str) -> str:
    # It makes a session while it is imported, and would look for the shell's profile: a synth asks AWS nothing.
    profiles = {name: os.environ.pop(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE") if name in os.environ}
    try:
        # Imported here: it takes seconds, and only a synth needs it.
        from sagemaker.core import image_uris
    finally:
        os.environ.update(profiles)

    uri: str = image_uris.retrieve(
        framework, region, version=version, instance_type=Training().instance_type, image_scope="training"
    )
    return uri


def pack_training_source(source: Path = SOURCE) -> Path:
    """Pack a folder of scripts as script mode wants it, the same bytes for the same files; caches and hidden files stay out."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source)
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in name.parts):
                entry = tarfile.TarInfo(name.as_posix())
                entry.size, entry.mode = path.stat().st_size, 0o644
                archive.addfile(entry, io.BytesIO(path.read_bytes()))
    content = packed.getvalue()
    target = BUILD / "training" / hashlib.sha256(content).hexdigest()[:16] / "sourcedir.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.write_bytes(content)
    return target


def _training_role(
    scope: Construct, *, storage: Storage, sources: Iterable[assets.Asset], own: str | None = None
) -> iam.Role:
    """Training jobs: they read rows and source, write models, and go on from the checkpoints of their run."""
    role = _execution_role(scope, "TrainingExecutionRole", storage=storage, does="training jobs", own=own)
    below = f"{own}/*" if own else "*"
    channels = [f"retraining/{below}/{channel}" for channel in ("train", "validation")]
    may_read(role, storage.data, *channels, f"trained/{below}/checkpoints")
    may_write(role, storage.data, f"trained/{own}" if own else "trained")
    packed = list(sources)
    objects = [source.bucket.arn_for_objects(source.s3_object_key) for source in packed]
    allow(role, "ReadSource", ["s3:GetObject"], objects)
    # The source is a channel of the job, and SageMaker lists a channel before it reads it.
    only_it = {"StringEquals": {"s3:prefix": [source.s3_object_key for source in packed]}}
    allow(role, "FindSource", ["s3:ListBucket"], [packed[0].bucket.bucket_arn], conditions=only_it)
    return role


def _scoring_role(
    scope: Construct, *, storage: Storage, models: Iterable[ModelConfig], own: str | None = None
) -> iam.Role:
    """Batch transforms: they read pinned models and the holdout's features, never its labels, and write answers.

    Until Kedge's first package serves, the champion of a model that was adopted and handed over is its owners' own model, whose
    artefact lies in a bucket of theirs.
    """
    role = _execution_role(scope, "ScoringExecutionRole", storage=storage, does="batch transforms", own=own)
    below, suffix = (f"{own}/*", f"/{own}") if own else ("*", "")
    holdout = [f"retraining/{below}/holdout/{name}" for name in ("input", "champion")]
    may_read(role, storage.data, f"artefacts{suffix}", *holdout)
    may_write(role, storage.data, f"scored{suffix}")
    models = [model for model in models if own in (None, model.model)]
    if any(model.mode == "manage" and model.capture.uri for model in models):
        storage.captures.may_read(role)
    return role


def _serving_role(scope: Construct, *, storage: Storage, own: str | None = None) -> iam.Role:
    """Endpoints: they read pinned models, and write what they capture."""
    role = _execution_role(scope, "ServingExecutionRole", storage=storage, does="endpoints", own=own)
    suffix = f"/{own}" if own else ""
    may_read(role, storage.data, f"artefacts{suffix}")
    may_write(role, storage.data, f"capture{suffix}")
    may_see_alarms(role)
    return role


def _execution_role(scope: Construct, name: str, *, storage: Storage, does: str, own: str | None) -> iam.Role:
    whose = f" of {own}" if own else ""
    role = service_role(
        scope,
        f"{name}{named(own)}" if own else name,
        service="sagemaker.amazonaws.com",
        description=f"Kedge: {does}{whose}",
    )
    stack = cdk.Stack.of(scope)
    may_use_key(role, storage.key)
    # Jobs encrypt what they write with the key that their request names.
    allow(role, "EncryptOutputs", ["kms:Encrypt"], [storage.key.key_arn])
    may_lend_key(role, storage.key)
    allow(
        role,
        "Log",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        [stack.format_arn(service="logs", resource="log-group", resource_name="/aws/sagemaker/*", arn_format=COLON)],
        wildcard="SageMaker names a log group per kind of job and a stream per job",
    )
    # Jobs and endpoints publish their own metrics in SageMaker's namespaces.
    namespaces = {"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "aws/sagemaker/*"]}}
    allow(role, "Measure", ["cloudwatch:PutMetricData"], ["*"], wildcard=NO_RESOURCE_TYPE, conditions=namespaces)
    allow(role, "LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"], wildcard=NO_RESOURCE_TYPE)
    allow(
        role,
        "PullImages",
        ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        [images(stack)],
        wildcard=IMAGES,
    )
    return role
