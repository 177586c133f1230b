"""How things stand: endpoint, champion item, baseline, registry, alarms, leases, jobs and messages, held against each other."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pyarrow.parquet as pq

from kedge.profile.encoding import decode_profiles
from tests.faults.world import World

# Items that say that something is under way, and must be gone when nothing is.
PASSING = ("lease", "release", "canary", "experiment", "waiting_release", "untold#")


def apart(world: World) -> list[str]:
    """Name what disagrees, and what was left behind; an empty list where everything is in order."""
    return [*_serving_apart(world), *_left_behind(world)]


def serving(world: World) -> str | None:
    """The package version that the endpoint serves; None where there is no endpoint in service."""
    config = _served_config(world)
    if config is None:
        return None
    described = world.registry.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    (container,) = described.get("Containers") or [described["PrimaryContainer"]]
    return str(container.get("ModelPackageName", "unknown")).rpartition("/")[2]


def _served_config(world: World) -> dict[str, Any] | None:
    try:
        endpoint = world.registry.describe_endpoint(EndpointName=world.endpoint)
    except world.registry.exceptions.ClientError:
        return None
    if endpoint["EndpointStatus"] != "InService":
        return None
    found: dict[str, Any] = world.registry.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    return found


def _serving_apart(world: World) -> list[str]:
    champion, config, version = world.item("champion"), _served_config(world), serving(world)
    if champion is None and config is None:
        return []
    if champion is None or config is None:
        return [f"champion item {champion and champion['package_version']}, but the endpoint serves {version}"]
    found = []
    if (champion["package_version"], champion["endpoint_config"]) != (version, config["EndpointConfigName"]):
        found.append(f"the item says version {champion['package_version']}, the endpoint serves {version}")
    status = world.packages().get(champion["package_arn"])
    if status != "Approved":
        found.append(f"the champion is {status} in the registry")
    if not world.objects(f"baselines/{world.model}/{champion['baseline']}.npz"):
        found.append(f"baseline {champion['baseline']} does not exist")
    captured_to = config.get("DataCaptureConfig", {}).get("DestinationS3Uri", "nowhere")
    if not captured_to.endswith(f"/{version}"):
        found.append(f"version {version} captures to {captured_to}")
    return found


def _left_behind(world: World) -> list[str]:
    items = world.account.client("dynamodb").scan(TableName=world.table)["Items"]
    found = [f"item {i['item']['S']} was left" for i in items if i["item"]["S"].startswith(PASSING)]
    found += [f"alarm {name} was left" for name in world.alarms(f"kedge-{world.model}-v")]
    for machine in ("kedge-release", "kedge-retrain"):
        found += [f"{machine} {e['name']} is running" for e in world.executions(machine) if e["status"] == "RUNNING"]
    for kind in ("training", "transform"):
        jobs = getattr(world.registry, f"list_{kind}_jobs")(StatusEquals="InProgress")
        found += [f"a {kind} job was left" for _ in jobs[f"{kind.title()}JobSummaries"]]
    found += [f"{what} was left" for what in left_of_trials(world)]
    return found + [f"model {name} was left" for name in scoring_models(world)]


def left_of_trials(world: World) -> list[str]:
    """Endpoints on which challengers were tried, and their configs."""
    found = []
    for kind, listed, name in (
        ("endpoint", "list_endpoints", "EndpointName"),
        ("config", "list_endpoint_configs", "EndpointConfigName"),
    ):
        pages = world.registry.get_paginator(listed).paginate(NameContains="-staging-")
        found += [
            f"{kind} {each[name]}"
            for page in pages
            for part in page.values()
            if isinstance(part, list)
            for each in part
        ]
    return found


def scoring_models(world: World) -> list[str]:
    """Models that no endpoint config names: those that a retraining scored with."""
    pages = world.registry.get_paginator("list_endpoint_configs").paginate()
    configs = [c["EndpointConfigName"] for page in pages for c in page["EndpointConfigs"]]
    used = {
        variant["ModelName"]
        for name in configs
        for variant in world.registry.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    }
    models = [m["ModelName"] for page in world.registry.get_paginator("list_models").paginate() for m in page["Models"]]
    # A release names its model like its endpoint config, and keeps both.
    return [name for name in models if name not in used and not name.startswith(f"{world.model}-v")]


def told_twice(mails: list[Any]) -> list[str]:
    """Subjects that came more than once and do not say that they may be a repetition."""
    counted = Counter(mail.subject for mail in mails if "received this message before" not in mail.body)
    return [subject for subject, times in counted.items() if times > 1]


def counted(world: World) -> dict[str, int]:
    """Everything that is counted, which no fault may change: rows and labels by day, windows, entries of the timeline."""
    found: Counter[str] = Counter()
    for key, body in world.objects(f"profiles/{world.model}/").items():
        if key.endswith(".npz"):
            header, hours, _ = decode_profiles("day", body)
            found[f"rows {key}"] = sum(profile.rows for profile in hours.values())
            found[f"duplicates {key}"] = header["duplicates"]
            found[f"quarantined {key}"] = header["quarantined"]
    for key, body in world.objects(f"labelled/{world.model}/date=").items():
        found[f"labels {key}"] = pq.read_metadata(io.BytesIO(body)).num_rows
    for item in world.account.client("dynamodb").scan(TableName=world.table)["Items"]:
        if item["item"]["S"].startswith("window#"):
            found[f"{item['item']['S']} {item.get('severity', {}).get('S')}"] += 1
    for entry in world.timeline_of_all():
        found[f"entry {entry['kind']}"] += 1
    return dict(found)
