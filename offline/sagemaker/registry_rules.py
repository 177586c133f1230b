"""What SageMaker refuses in a model package: statuses, metadata, metrics and artefacts that are not as they must be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from offline.region import Region
from offline.sagemaker.api import ValidationError, invalid
from offline.sagemaker.storage import exists

STATUSES = ("Approved", "Rejected", "PendingManualApproval")
METADATA_ENTRIES_MAX = 50
METADATA = re.compile(r"[\w\s.:/=+\-@]*")  # \w is Unicode's letters, digits and the underscore, as in SageMaker's rule
KEY_LENGTH_MAX, VALUE_LENGTH_MAX = 128, 256
TEXT_LENGTH_MAX = 1024
LIFE_CYCLE = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
CARD_LENGTH_MAX, CARD_TEXT_MAX = 100_000, 2096
# The schema of a package's card, which has fewer parts than a model card of its own; an empty set knows no names.
CARD_PARTS = {
    "model_overview": {"model_creator", "model_artifact"},
    "intended_uses": {
        "purpose_of_model",
        "intended_uses",
        "factors_affecting_model_efficiency",
        "risk_rating",
        "explanations_for_risk_rating",
    },
    "business_details": {"business_problem", "business_stakeholders", "line_of_business"},
    "training_details": {"objective_function", "training_observations", "training_job_details"},
    "evaluation_details": set(),
    "additional_information": {"ethical_considerations", "caveats_and_recommendations", "custom_details"},
}


def check_package(region: Region, request: Mapping[str, Any]) -> None:
    """Refuse a CreateModelPackage request that SageMaker would."""
    if "ModelApprovalStatus" in request:
        check_status(request["ModelApprovalStatus"])
    if "CustomerMetadataProperties" in request:
        check_metadata(request["CustomerMetadataProperties"])
    if len(request.get("ModelPackageDescription", "")) > TEXT_LENGTH_MAX:
        reason = f"Member must have length less than or equal to {TEXT_LENGTH_MAX}"
        raise invalid(request["ModelPackageDescription"], "modelPackageDescription", reason)
    check_card(request.get("ModelCard", {}))
    check_life_cycle(request.get("ModelLifeCycle", {}))
    for container in request.get("InferenceSpecification", {}).get("Containers", []):
        artefact = container.get("ModelDataUrl")
        if artefact and not exists(region, artefact):
            raise ValidationError(f"Could not find model data at {artefact}.")
    for name in ("ModelMetrics", "DriftCheckBaselines"):
        for path, source in _sources(request.get(name, {}), name):
            _check_source(path, source)


def check_card(card: Mapping[str, str]) -> None:
    """Refuse a model card that is no JSON, is too long, or has parts that a package's card does not."""
    if not card:
        return
    text = card.get("ModelCardContent", "")
    if len(text) > CARD_LENGTH_MAX:
        raise invalid(
            text[:80],
            "modelCard.modelCardContent",
            f"Member must have length less than or equal to {CARD_LENGTH_MAX}",
        )
    try:
        parts = json.loads(text)
    except ValueError as error:
        raise ValidationError("Model card content is not valid JSON.") from error
    strange = set(parts) - set(CARD_PARTS)
    for part, known in CARD_PARTS.items():
        strange |= {f"{part}.{name}" for name in parts.get(part, {}) if known and name not in known}
    if strange:
        raise ValidationError(f"Model card content does not fit the schema: {', '.join(sorted(strange))}")
    if long := [value for value in _texts(parts) if len(value) > CARD_TEXT_MAX]:
        raise ValidationError(f"Model card content does not fit the schema: {long[0][:80]} is too long")


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _texts(child)


def check_status(status: str) -> None:
    """Refuse an approval status that does not exist."""
    if status not in STATUSES:
        allowed = ", ".join(STATUSES)
        raise invalid(status, "modelApprovalStatus", f"Member must satisfy enum value set: [{allowed}]")


def check_life_cycle(life_cycle: Mapping[str, str]) -> None:
    """Refuse a stage or a status that is no name: botocore checks that both are there, and the lengths at least."""
    for field in ("Stage", "StageStatus") if life_cycle else ():
        if not LIFE_CYCLE.fullmatch(life_cycle[field]):
            name = f"modelLifeCycle.{field[0].lower()}{field[1:]}"
            raise invalid(
                life_cycle[field], name, f"Member must satisfy regular expression pattern: {LIFE_CYCLE.pattern}"
            )
    if len(description := life_cycle.get("StageDescription", "")) > TEXT_LENGTH_MAX:
        reason = f"Member must have length less than or equal to {TEXT_LENGTH_MAX}"
        raise invalid(description, "modelLifeCycle.stageDescription", reason)


def check_metadata(properties: Mapping[str, str]) -> None:
    """Refuse customer metadata that is too much, too long, or outside the character set."""
    field = "customerMetadataProperties"
    if len(properties) > METADATA_ENTRIES_MAX:
        reason = f"Member must have length less than or equal to {METADATA_ENTRIES_MAX}"
        raise invalid(properties, field, reason)
    for key, value in properties.items():
        for text, limit in ((key, KEY_LENGTH_MAX), (value, VALUE_LENGTH_MAX)):
            if not 1 <= len(text) <= limit:
                reason = f"Member must have length between 1 and {limit}"
                raise invalid(text, field, reason)
            if not METADATA.fullmatch(text):
                reason = r"Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)"
                raise invalid(text, field, reason)


def _sources(document: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            if "S3Uri" in value:
                yield f"{path}.{key}", value
            else:
                yield from _sources(value, f"{path}.{key}")


def _check_source(path: str, source: Mapping[str, Any]) -> None:
    if not re.fullmatch(r"(https|s3)://([^/]+)/?(.*)", source["S3Uri"]):
        reason = "Member must satisfy regular expression pattern: (https|s3)://([^/]+)/?(.*)"
        raise invalid(source["S3Uri"], f"{path}.s3Uri", reason)
    digest = source.get("ContentDigest")
    if digest and not re.fullmatch(r"[Ss][Hh][Aa]256:[0-9a-fA-F]{64}", digest):
        reason = "Member must satisfy regular expression pattern: [Ss][Hh][Aa]256:[0-9a-fA-F]{64}"
        raise invalid(digest, f"{path}.contentDigest", reason)
