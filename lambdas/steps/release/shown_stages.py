"""Let the registry show which version waits, is on trial, serves, or served before.

It is for people who look there, and nothing hangs on it: what the registry refuses is tried again with the next settling.
"""

from __future__ import annotations

from kedge.config.model import ModelConfig
from kedge.release.life_cycle import CANARY, RELEASING, TRIAL, LifeCycle, life_cycle_of
from lambdas.adapters import clients
from lambdas.adapters.optional import optional
from lambdas.adapters.release import model_registry, stages
from lambdas.adapters.state import champions, under_way


def show_stages(config: ModelConfig, *, table: str, role: str) -> None:
    """Bring the stages of the model's packages in line; `role` is the caller's, by which its writes are known again.

    Packages that Kedge did not make are their owners' to change.
    """
    sagemaker, champion = clients.sagemaker(), champions.load(clients.dynamodb(), table, config.model)
    served = {kept.package_arn for kept in champion.earlier} if champion else set()
    on_trial = _on_trial(config.model, table)
    with optional("the stage of a package", config.model):
        for listed in stages.list_stages(sagemaker, config.package_group):
            wanted = life_cycle_of(
                listed.arn,
                status=listed.approval_status,
                shown=listed.shown,
                champion=champion.package_arn if champion else None,
                on_trial=on_trial,
                served=served,
            )
            if wanted is None or wanted == listed.shown:
                continue
            with optional("the stage of a package", config.model):
                package = model_registry.describe_package(sagemaker, listed.arn)
                if model_registry.STAGED in package.properties:
                    stages.show_stage(sagemaker, package, wanted, role=role)


def _on_trial(model: str, table: str) -> tuple[str, LifeCycle] | None:
    """The package of the release that is under way; none where what served before comes back at once."""
    release = under_way.load(clients.dynamodb(), table, model)
    if release is None or release.kept is not None:
        return None
    if release.experiment:
        return release.package_arn, TRIAL
    return release.package_arn, CANARY if release.previous_config else RELEASING
