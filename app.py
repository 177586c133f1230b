"""Kedge as an app of stacks, one line each, in the order data flows."""

from __future__ import annotations

import stacks  # noqa: F401  # isort: skip  (first: aws_cdk needs the Node that it finds)

import argparse
import json
import os
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from kedge.errors import ModelConfigError
from stacks.feature_groups import FeatureGroups
from stacks.models import add_models
from stacks.monitoring import Monitoring
from stacks.package_buckets import PackageBuckets
from stacks.parts.capture_buckets import CaptureBuckets
from stacks.parts.catalogue import load_teams
from stacks.parts.mail import Mail
from stacks.parts.network import vpc_of_context
from stacks.parts.packages import prepare_packages
from stacks.release import Release
from stacks.retraining import Retraining
from stacks.storage import Storage
from stacks.streams import stream_of_context

ROOT = Path(__file__).resolve().parent
DEFAULT_REGION = "eu-west-1"


def build_app(  # noqa: PLR0913  # facts of the deployment, each by itself
    outdir: str | Path,
    models_directory: str | Path,
    layers: str = "placeholder",
    nag: bool = False,
    *,
    region: str = DEFAULT_REGION,
    alert_email: str | None = "on-call@example.com",
    model_stacks: object = None,
    capture_buckets: object = None,
    capture_keys: object = None,
    firehose_stream: object = None,
    feature_groups: object = None,
    feature_group_keys: object = None,
    retrainings_at_once: object = None,
    jobs_vpc: object = None,
    package_buckets: object = None,
    package_keys: object = None,
    source_commit: str = "",
) -> cdk.App:
    """Describe the whole system for these models; `synth()` of the answer writes the templates.

    How many stacks hold the models, and which buckets of others are read, are facts of what is deployed: unless they are given,
    `cdk.json` says them, whoever asks.
    """
    written = _written_context()
    shards = _whole_number("model_stacks", written.get("model_stacks", 1) if model_stacks is None else model_stacks)
    most = written.get("retrainings_at_once") if retrainings_at_once is None else retrainings_at_once
    at_once = None if most is None else _whole_number("retrainings_at_once", most)
    packages = prepare_packages(models_directory=Path(models_directory), layers=layers)
    models = packages.models
    captures = CaptureBuckets.of_context(
        written.get("capture_buckets") if capture_buckets is None else capture_buckets,
        written.get("capture_keys") if capture_keys is None else capture_keys,
        models,
    )
    groups = FeatureGroups.of_context(
        written.get("feature_groups") if feature_groups is None else feature_groups,
        written.get("feature_group_keys") if feature_group_keys is None else feature_group_keys,
        models,
    )
    stream = stream_of_context(written.get("firehose_stream") if firehose_stream is None else firehose_stream)
    mail = Mail(alert_email, models, load_teams(Path(models_directory)))
    mail.check()
    app = cdk.App(outdir=str(outdir), analytics_reporting=False, context=_feature_flags())
    env = cdk.Environment(region=region)

    storage = Storage(app, "KedgeStorage", env=env, mail=mail, captures=captures)
    monitoring = Monitoring(app, "KedgeMonitoring", env=env, packages=packages, storage=storage, stream_arn=stream)
    retraining = Retraining(
        app,
        "KedgeRetraining",
        env=env,
        packages=packages,
        storage=storage,
        monitoring=monitoring,
        feature_groups=groups,
        at_once=at_once,
        source_commit=source_commit,
        vpc=vpc_of_context(written.get("jobs_vpc") if jobs_vpc is None else jobs_vpc),
        package_buckets=PackageBuckets.of_context(
            written.get("package_buckets") if package_buckets is None else package_buckets,
            written.get("package_keys") if package_keys is None else package_keys,
        ),
    )
    Release(app, "KedgeRelease", env=env, packages=packages, storage=storage, retraining=retraining)
    add_models(app, "KedgeModels", env=env, storage=storage, models=models, stacks=shards)

    if nag:
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def main() -> None:
    """Synthesise under cdk-nag what the CDK CLI or `-c key=value` asks for."""
    context = _context()
    try:
        app = build_app(
            os.environ.get("CDK_OUTDIR", ROOT / "cdk.out"),
            ROOT / context.get("models", "models"),
            # Only cdk.json, hence only the CLI, asks for built layers: looking at templates needs no downloads.
            context.get("layers", "placeholder"),
            nag=True,
            region=context.get("region", DEFAULT_REGION),
            alert_email=context.get("alert_email"),
            model_stacks=context.get("model_stacks"),
            capture_buckets=context.get("capture_buckets"),
            capture_keys=context.get("capture_keys"),
            firehose_stream=context.get("firehose_stream"),
            feature_groups=context.get("feature_groups"),
            feature_group_keys=context.get("feature_group_keys"),
            retrainings_at_once=context.get("retrainings_at_once"),
            jobs_vpc=context.get("jobs_vpc"),
            package_buckets=context.get("package_buckets"),
            package_keys=context.get("package_keys"),
            source_commit=context.get("source_commit", ""),
        )
    except ModelConfigError as error:
        raise SystemExit(str(error)) from error
    app.synth()


def _whole_number(name: str, given: object) -> int:
    if not str(given).isdecimal() or not int(str(given)):
        problem = f"{name} is {given!r}, in the context or after -c: it must be a whole number of at least 1"
        raise ModelConfigError(source="cdk.json", problems=[problem])
    return int(str(given))


def _context() -> dict[str, str]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    given = dict(pair.split("=", 1) for pair in parser.parse_args().context)
    # The CDK CLI hands over cdk.json's context and its own `-c` in this variable.
    return {**json.loads(os.environ.get("CDK_CONTEXT_JSON", "{}")), **given}


def _feature_flags() -> dict[str, object]:
    return {name: value for name, value in _written_context().items() if name.startswith("@")}


def _written_context() -> dict[str, object]:
    found: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return found


if __name__ == "__main__":
    main()
