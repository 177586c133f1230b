"""One retraining: what is trained, the champion that it is compared with, and where its files stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kedge.config.model import ModelConfig
from kedge.instants import to_text
from kedge.package_schema import same_schema
from lambdas.adapters import clients
from lambdas.adapters.bucket import layout, package_schemas
from lambdas.adapters.release import endpoints
from lambdas.adapters.state import champions


@dataclass(frozen=True)
class Serving:
    """The model that serves, or would if its endpoint were there: its schema, and the end of what it learnt, where that is known."""

    model_name: str
    config: ModelConfig
    package_version: str | None = None
    training_end: datetime | None = None
    # Where no endpoint names the model, its package says what it is.
    package_arn: str | None = None
    baseline: str | None = None
    instances: int = 1


@dataclass(frozen=True)
class RetrainingRun:
    """A retraining that has begun."""

    config: ModelConfig
    run: str
    time: datetime
    bucket: str
    champion: Serving | None

    @property
    def model(self) -> str:
        """The model's name."""
        return self.config.model

    @property
    def champions_schema(self) -> ModelConfig | None:
        """The champion's schema where it is another than the one to be trained."""
        if self.champion is None or same_schema(self.champion.config, self.config):
            return None
        return self.champion.config

    def uri(self, name: str) -> str:
        """The address of one of its files."""
        return f"s3://{self.bucket}/{layout.retraining_key(self.model, self.run, name)}"

    def champions_rows(self) -> str:
        """The file of the holdout's rows that the champion scores: the challenger's own, unless it reads others."""
        schema = self.champions_schema
        if schema is None:
            return scored_file(self.config, "rows")
        return scored_file(schema, "rows", layout.SCORED_BY_CHAMPION)


def scored_file(config: ModelConfig, name: str, below: str = layout.SCORED) -> str:
    """A file of rows to be scored, in the endpoint's own content type."""
    return f"{below}{name}.csv" if config.endpoint.content_type == "text/csv" else f"{below}{name}.jsonl"


def find_champion(config: ModelConfig, bucket: str, table: str) -> Serving | None:
    """What the endpoint's config names is the champion, also where Kedge did not make it.

    Without an endpoint it is the package that was promoted last: an endpoint that was deleted makes no challenger better.
    """
    endpoint = endpoints.describe_endpoint(clients.sagemaker(), config.endpoint.name)
    known = champions.load(clients.dynamodb(), table, config.model)
    named = (
        endpoints.describe_served_model(clients.sagemaker(), endpoint.endpoint_config).model_name if endpoint else None
    )
    instances = endpoint.instances if endpoint else 1
    if known is None:
        return Serving(named, config, instances=instances) if named else None
    return Serving(
        named or known.model_name,
        package_schemas.load(clients.s3(), bucket, config, known.baseline),
        known.package_version,
        known.training_end,
        package_arn=None if named else known.package_arn,
        baseline=known.baseline,
        instances=instances,
    )


def describe(champion: Serving | None) -> dict[str, Any]:
    """The champion as the machine passes it on."""
    if champion is None:
        return {"present": False}
    known = {"training_end": to_text(champion.training_end)} if champion.training_end is not None else {}
    return {"present": True, "model_name": champion.model_name, "package_version": champion.package_version, **known}
