"""An adoption written down: the YAML, the baseline, then the champion item, which makes it count."""

from __future__ import annotations

from pathlib import Path

from cli.adopt.adoption import Adoption
from cli.definitions import put_definition
from cli.operator.deployment import Deployment
from cli.refusals import BadInputError
from cli.written_files import write_all
from lambdas.adapters.bucket import timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.release import staged_baselines
from lambdas.adapters.state import champions


def write_adoption(deployment: Deployment, found: Adoption, path: Path) -> None:
    """Write everything; whoever is stopped half way types the command again."""
    s3, champion, model = deployment.client("s3"), found.champion, found.config.model
    if found.yaml_is_new:
        write_all({path: found.yaml})
    if found.to_bucket:
        put_definition(deployment, found.yaml.encode())
    staged_baselines.put(s3, deployment.bucket, found.files, model=model, package_version=champion.package_version)
    dynamodb, table = deployment.client("dynamodb"), deployment.table
    if not champions.replace(dynamodb, table, model, champion, before=found.before):
        raise BadInputError(
            f"somebody else has changed what serves as {model} meanwhile; look at kedge history {model}"
        )
    detail = {
        "package_version": champion.package_version,
        "source": found.config.source,
        "endpoint": found.config.endpoint.name,
        "endpoint_config": found.running.config,
        "capture_uri": found.running.capture_uri,
        "sampling_percentage": found.running.sampling_percentage,
        "reasons": [f"watched by {found.baseline_of}"],
        "by": deployment.caller.name,
    }
    timeline.record(s3, deployment.bucket, Entry(model, "adopted", deployment.caller.time, detail))
