"""Kedge as it is installed: facts that several checks need, read once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.doctor.findings import Finding
from cli.models import read_model_files
from cli.operator.deployment import MONITORING, RELEASE, RETRAINING, STORAGE, Deployment
from kedge.config.model import ModelConfig
from lambdas import stage

ROOT = Path(__file__).resolve().parents[3]
MODELS = re.compile(r"KedgeModels-\d+")
FIXED_STACKS = (STORAGE, MONITORING, RETRAINING, RELEASE)
FUNCTION, ROLE = "AWS::Lambda::Function", "AWS::IAM::Role"


@dataclass(frozen=True)
class Resource:
    """A resource of a stack."""

    stack: str
    logical_id: str
    physical_id: str


class Installation:
    """One account and region, and the local YAML files."""

    def __init__(self, deployment: Deployment, models: Path) -> None:
        self.deployment, self.models_directory = deployment, models

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return self.deployment.client(service)

    @property
    def region(self) -> str:
        """The region that is looked at."""
        return self.deployment.region

    @property
    def now(self) -> datetime:
        """The account's time."""
        return self.deployment.caller.time

    @cached_property
    def wanted_region(self) -> str | None:
        """Where `make deploy` goes: the context of cdk.json."""
        region = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"].get("region")
        return None if region is None else str(region)

    @cached_property
    def stacks(self) -> dict[str, Mapping[str, Any]]:
        """Kedge's stacks as CloudFormation describes them."""
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        described = {stack["StackName"]: stack for page in pages for stack in page["Stacks"]}
        return {name: stack for name, stack in described.items() if _is_ours(name)}

    @cached_property
    def _resources(self) -> list[tuple[str, Resource]]:
        return [
            (found["ResourceType"], Resource(stack, found["LogicalResourceId"], found.get("PhysicalResourceId", "")))
            for stack in self.stacks
            for found in self.deployment.resources(stack)
        ]

    def resources(self, kind: str) -> list[Resource]:
        """The stacks' resources of a type, such as `AWS::SQS::Queue`."""
        return [resource for of, resource in self._resources if of == kind]

    def template(self, stack: str) -> Mapping[str, Any]:
        """The template that the stack was deployed from."""
        answer = self.client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
        found: Mapping[str, Any] = json.loads(answer) if isinstance(answer, str) else answer
        return found

    @cached_property
    def functions(self) -> dict[str, Mapping[str, Any]]:
        """The configuration of each function that exists, by name."""
        return dict(self._configurations())

    def _configurations(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        client = self.client("lambda")
        for function in self.resources(FUNCTION):
            try:
                answer = client.get_function_configuration(FunctionName=function.physical_id)
            except client.exceptions.ResourceNotFoundException:
                continue  # the check of the functions says so
            yield function.physical_id, answer

    @cached_property
    def model_files_problems(self) -> list[str]:
        """What is wrong with the YAML files, in words."""
        return [file.problem for file in read_model_files(self.models_directory) if file.problem]

    @cached_property
    def models(self) -> dict[str, ModelConfig]:
        """The models of the readable YAML files."""
        configs = [file.config for file in read_model_files(self.models_directory)]
        return {config.model: config for config in configs if config is not None}


def _is_ours(stack: str) -> bool:
    plain = stage.current().plain(stack)
    known = plain in FIXED_STACKS or MODELS.fullmatch(plain) is not None
    return known and stack == stage.current().named(plain)


Check = Callable[[Installation], Iterator[Finding]]
