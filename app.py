"""Kedge as an app of stacks, one line each, in the order data flows."""

from __future__ import annotations

import stacks  # noqa: F401  # isort: skip  (first: aws_cdk needs the Node that it finds)

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from kedge.errors import ModelConfigError, RefusedError
from stacks.budget import budget_of_context
from stacks.deployments import DEFAULT_REGION, DeployedStage, deployments
from stacks.feature_groups import FeatureGroups
from stacks.models import add_models, define_models
from stacks.monitoring import Monitoring
from stacks.package_buckets import PackageBuckets
from stacks.parts.capture_buckets import CaptureBuckets
from stacks.parts.catalogue import load_teams
from stacks.parts.mail import Mail
from stacks.parts.packages import prepare_packages
from stacks.release import Release
from stacks.retraining import Retraining
from stacks.storage import Storage
from stacks.streams import stream_of_context
from stacks.surroundings import Surroundings, read_vpc

ROOT = Path(__file__).resolve().parent
# Facts in the context that differ between the stages of one app, if they must.
FACTS = frozenset(
    (
        *("region", "alert_email", "monthly_budget_usd", "model_stacks", "capture_buckets", "capture_keys"),
        *("firehose_stream", "feature_groups", "feature_group_keys", "retrainings_at_once", "source_commit"),
        *("vpc", "permissions_boundary", "bucket", "key"),
    )
)

# What the context says that is true of one account alone: the offline one has none of it.
OF_AN_ACCOUNT = ("stages", "package_source", "package_takers", "vpc", "permissions_boundary", "bucket", "key")


def build_app(  # noqa: PLR0913  # facts of the deployment, each by itself
    outdir: str | Path,
    models_directory: str | Path,
    layers: str = "placeholder",
    nag: bool = False,
    *,
    region: str = DEFAULT_REGION,
    alert_email: str | None = "on-call@example.com",
    monthly_budget_usd: object = None,
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
    stage: object = None,
    stages: object = None,
    package_source: object = None,
    package_takers: object = None,
    vpc: object = None,
    permissions_boundary: object = None,
    bucket: object = None,
    key: object = None,
) -> cdk.App:
    """Describe the whole system for these models; `synth()` of the answer writes the templates.

    How many stacks hold the models, and which buckets of others are read, are facts of what is deployed: unless they are given,
    `cdk.json` says them, whoever asks.
    """
    given = {
        "monthly_budget_usd": monthly_budget_usd,
        "model_stacks": model_stacks,
        "capture_buckets": capture_buckets,
        "capture_keys": capture_keys,
        "firehose_stream": firehose_stream,
        "feature_groups": feature_groups,
        "feature_group_keys": feature_group_keys,
        "retrainings_at_once": retrainings_at_once,
        "jobs_vpc": jobs_vpc,
        "package_buckets": package_buckets,
        "package_keys": package_keys,
        "stage": stage,
        "stages": stages,
        "package_source": package_source,
        "package_takers": package_takers,
        "vpc": vpc,
        "permissions_boundary": permissions_boundary,
        "bucket": bucket,
        "key": key,
    }
    facts = {**_written_context(), **{name: value for name, value in given.items() if value is not None}}
    facts |= {"region": region, "alert_email": alert_email, "source_commit": source_commit}
    app = cdk.App(outdir=str(outdir), analytics_reporting=False, context=_feature_flags())
    for deployment in deployments(app, facts, FACTS):
        _add_kedge(deployment, Path(models_directory), layers)
    if nag:
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def _add_kedge(deployment: DeployedStage, models_directory: Path, layers: str) -> None:
    scope, env, facts = deployment.scope, deployment.env, deployment.facts
    shards, most = _whole_number("model_stacks", facts.get("model_stacks", 1)), facts.get("retrainings_at_once")
    at_once = None if most is None else _whole_number("retrainings_at_once", most)
    around = Surroundings.of_context(facts)
    packages = prepare_packages(
        models_directory=models_directory, layers=layers, stage=deployment.stage, vpc=around.vpc
    )
    models = packages.models
    captures = CaptureBuckets.of_context(facts.get("capture_buckets"), facts.get("capture_keys"), models)
    groups = FeatureGroups.of_context(facts.get("feature_groups"), facts.get("feature_group_keys"), models)
    mail = Mail(_text(facts, "alert_email"), models, load_teams(models_directory))
    mail.check()
    around.bound(scope)

    storage = Storage(
        scope,
        "KedgeStorage",
        env=env,
        mail=mail,
        captures=captures,
        around=around,
        takers=deployment.takers,
        budget_usd=budget_of_context(facts.get("monthly_budget_usd")),
    )
    monitoring = Monitoring(
        scope,
        "KedgeMonitoring",
        env=env,
        packages=packages,
        storage=storage,
        stream_arn=stream_of_context(facts.get("firehose_stream")),
    )
    retraining = Retraining(
        scope,
        "KedgeRetraining",
        env=env,
        packages=packages,
        storage=storage,
        monitoring=monitoring,
        feature_groups=groups,
        at_once=at_once,
        source_commit=_text(facts, "source_commit") or "",
        vpc=read_vpc("jobs_vpc", facts.get("jobs_vpc")),
        package_buckets=PackageBuckets.of_context(facts.get("package_buckets"), facts.get("package_keys")),
    )
    release = Release(
        scope,
        "KedgeRelease",
        env=env,
        packages=packages,
        storage=storage,
        retraining=retraining,
        source=deployment.source,
    )
    first, *others = add_models(scope, "KedgeModels", env=env, storage=storage, models=models, stacks=shards)
    # What a function reads of a model takes effect once everything that was made for the model stands.
    for stack in (monitoring, retraining, release, *others):
        first.add_stack_dependency(stack)
    define_models(first, packages=packages, storage=storage)
    # CloudFormation hands a stack's tags on to its resources: what they cost is found by them.
    for stack in (each for each in scope.node.find_all() if isinstance(each, cdk.Stack)):
        stack.tags.set_tag(*deployment.stage.tag)


def _text(facts: Mapping[str, object], name: str) -> str | None:
    return str(facts[name]) if facts.get(name) else None


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
            monthly_budget_usd=context.get("monthly_budget_usd"),
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
            stage=context.get("stage"),
            **{name: context.get(name) for name in OF_AN_ACCOUNT},
        )
    except RefusedError as error:
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
