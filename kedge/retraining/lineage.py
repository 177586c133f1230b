"""Where a challenger is from, and the model card that SageMaker shows of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# Limits of SageMaker's schema of a package's card; together they stay far below the 100,000 characters of a card.
# https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html
_TEXT, _LONG_TEXT, _NAME, _PARAMETERS = 1024, 2048, 255, 100


@dataclass(frozen=True)
class TrainedBy:
    """The training job, as SageMaker describes it; or a package that Kedge did not make, of whose training it knows nothing."""

    job_arn: str
    image: str
    instance_type: str = ""
    instance_count: int = 0
    spot: bool = False
    source_uri: str = ""
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    source_package: str = ""
    # Of the tuning whose best job it was, and what it found.
    tuning_job_arn: str = ""
    tuned: str = ""

    @classmethod
    def package(cls, arn: str, image: str) -> TrainedBy:
        """What is known of a package that somebody else registered."""
        return cls(job_arn="", image=image, source_package=arn)


@dataclass(frozen=True)
class Lineage:
    """All that a package's file `lineage.json` says.

    Attributes
    ----------
    data_manifest, data_digest : str
        Where the manifest of the rows is, and the digest of what it names.
    source_commit : str
        The commit that was deployed, where `-c source_commit=` said it.
    scoring_job_arns : tuple of str
        The transform jobs of the run.
    trigger : mapping
        Why the retraining started.
    champion : str
        The version that served then; "none" where none did.
    """

    run: str
    trained_by: TrainedBy
    data_manifest: str
    data_digest: str
    artefact_uri: str
    artefact_sha256: str
    serving_image: str
    source_commit: str
    scoring_job_arns: tuple[str, ...]
    trigger: Mapping[str, Any]
    champion: str
    cost: str

    def encode(self) -> bytes:
        """The file's content."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    def properties(self) -> dict[str, str]:
        """What of it stands in the registry: a property holds 256 characters, the file holds all."""
        job = self.trained_by
        if job.source_package:
            return {"kedge:source_package": job.source_package, "kedge:source_commit": self.source_commit}
        return {
            "kedge:training_job": job.job_arn.rpartition("/")[2],
            "kedge:training_job_arn": job.job_arn,
            "kedge:instance_type": job.instance_type,
            "kedge:instance_count": str(job.instance_count),
            "kedge:spot": "yes" if job.spot else "no",
            "kedge:training_image": job.image,
            "kedge:source": job.source_uri,
            "kedge:source_commit": self.source_commit,
            "kedge:hyperparameters": " ".join(f"{name}={value}" for name, value in sorted(job.hyperparameters.items())),
        }


def model_card(
    lineage: Lineage,
    *,
    description: str,
    metrics: Mapping[str, float],
    gate: Sequence[str],
    caveats: Sequence[str],
) -> str:
    """Write the package's model card: how it was trained, what the gate measured, where everything is from.

    Parameters
    ----------
    description : str
        What an approver reads first.
    metrics : mapping
        What was measured on the holdout.
    gate, caveats : sequence of str
        What the gate found, and what the rows were like.
    """
    job = lineage.trained_by
    numbers = [{"name": name[:_NAME], "type": "number", "value": value} for name, value in metrics.items()]
    parameters = [
        {"name": name[:_NAME], "value": value[:_NAME]} for name, value in job.hyperparameters.items() if name and value
    ]
    learnt = [{"name": name[:_NAME], "value": value} for name, value in job.metrics.items()]
    facts = {
        "run": lineage.run,
        "trigger": ", ".join(str(reason) for reason in lineage.trigger.get("reasons", [])),
        "champion": lineage.champion,
        "instances": f"{job.instance_count} x {job.instance_type}" + (" (spot)" if job.spot else "")
        if job.job_arn
        else "",
        "source_package": job.source_package,
        "tuning_job": job.tuning_job_arn,
        "tuned": job.tuned,
        "source": job.source_uri,
        "source_commit": lineage.source_commit,
        "data_digest": lineage.data_digest,
        "artefact_sha256": lineage.artefact_sha256,
        "serving_image": lineage.serving_image,
        "cost": lineage.cost,
    }
    card = {
        "model_overview": {"model_creator": "Kedge", "model_artifact": [lineage.artefact_uri]},
        "training_details": {
            "training_observations": description[:_TEXT],
            "training_job_details": {
                **({"training_arn": job.job_arn} if job.job_arn else {}),
                "training_datasets": [lineage.data_manifest],
                "training_environment": {"container_image": [job.image]},
                "training_metrics": learnt,
                "hyper_parameters": parameters[:_PARAMETERS],
            },
        },
        "evaluation_details": [
            {
                "name": "the gate on the holdout",
                "evaluation_observation": ". ".join(gate)[:_LONG_TEXT],
                "metric_groups": [{"name": "holdout", "metric_data": numbers}],
            }
        ],
        "additional_information": {
            "caveats_and_recommendations": ". ".join(caveats)[:_LONG_TEXT],
            "custom_details": {name: value[:_TEXT] for name, value in facts.items() if value},
        },
    }
    return json.dumps(card)
