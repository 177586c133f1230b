"""An AWS account inside this process: one region, one clock, every service behind its ordinary boto3 client.

Real AWS isolates functions, jobs and roles in machines of their own; here they are threads and subprocesses of one
program, and a role is an attribute of the running thread. moto answers the calls; the services made here add what it lacks.
Each is given the region and the services that it needs, and knows no others. `_install` puts them into moto.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from moto import mock_aws
from moto.moto_api._internal import mock_random

from offline import budgets, cloud_trail, cost_explorer, paging, quotas, roles, s3_conflicts
from offline.alarms import alarms
from offline.athena import queries as athena
from offline.calls import Call
from offline.cloudformation import stacks
from offline.cloudformation.deployment import Site, deploy
from offline.containers.containers import Containers
from offline.containers.processes import Processes
from offline.delivery import events, firehose, mail, queues, scheduler
from offline.delivery.targets import Targets
from offline.functions import api as lambda_api
from offline.functions.events import FunctionEvents
from offline.functions.runtime import Functions
from offline.iam import guard, simulation
from offline.metrics import cloudwatch
from offline.region import Region
from offline.sagemaker import endpoints, feature_store, jobs, models, registry, runtime
from offline.sagemaker.capacity import Capacity
from offline.sagemaker.endpoint_fleets import Ground
from offline.sagemaker.model_monitor import schedules as monitoring_schedules
from offline.sagemaker.pipelines import pipelines
from offline.sagemaker.pipelines.pipelines import Pipelines
from offline.sagemaker.training import tuning
from offline.server import Server
from offline.speed import dynamodb, s3, transport
from offline.step_functions import machines

MOTO_SETTINGS = {
    "core": {"mock_credentials": False, "reset_boto3_session": True},
    "lambda": {"use_docker": False},
    "batch": {"use_docker": False},
    "stepfunctions": {"execute_state_machine": True},
}


class Account(Region):
    """The account: enter it to start it, leave it to give the process back as it was."""

    def __init__(
        self,
        *,
        start: datetime,
        region: str = "eu-west-1",
        seed: int = 0,
        directory: Path | None = None,
        page_items: int | None = None,
        interpreters: Mapping[str, Path] | None = None,
    ) -> None:
        super().__init__(start=start, name=region, seed=seed, directory=Path(directory or "build/account"))
        self.page_items = page_items  # of every listing; None: as many as AWS and moto give
        self.trail = cloud_trail.Trail(self)
        self.iam = guard.Guard(self, self.trail)
        self.metrics = cloudwatch.Metrics(self)
        self.bill = cost_explorer.Bill(self)
        self.functions = Functions(self, self.metrics)
        self.function_events = FunctionEvents(self, self.functions)
        self.targets = Targets(self, self.iam, self.function_events)
        self.budgets = budgets.Budgets(self, self.bill, self.targets)
        self.bus = events.EventBus(self, self.targets, self.metrics)
        self.alarms = alarms.Alarms(self, self.metrics, self.targets, self.bus)
        self.polling = queues.Polling(self, self.targets, self.functions, self.metrics)
        self.post = mail.Post(self, self.targets, self.metrics)
        self.schedules = scheduler.Firing(self, self.targets, self.metrics)
        self.processes = Processes(interpreters)  # interpreters: by the tag of the image whose scripts they run
        self.containers = Containers(self.directory / "containers", self.processes)
        self.quotas = quotas.defaults()
        self.capacity = Capacity(self, self.quotas)
        self.model_registry = registry.Registry(self, self.bus)
        self.models = models.Models(self, self.iam, self.model_registry, self.containers)
        self.jobs = jobs.Jobs(self, self.iam, self.models, self.capacity, self.bus)
        self.tunings = tuning.Tunings(self, self.jobs)
        self.pipelines = Pipelines(self, self.iam, self.jobs, self.model_registry)
        ground = Ground(self, self.models, self.capacity, self.metrics)
        self.endpoints = endpoints.Endpoints(ground, self.iam, self.alarms, self.bus)
        self.stacks = stacks.Stacks(self)

    def __enter__(self) -> Account:
        self.mail_directory.mkdir(parents=True, exist_ok=True)
        try:
            self._enter()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _enter(self) -> None:
        stack = self._closing
        self.on_close(time.tzset)  # runs last: after the environment has its own TZ back
        # Nothing of the shell's: a profile, or an endpoint URL of another account, would lead our own clients elsewhere.
        others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        stack.enter_context(patch.dict(os.environ, others | self._environment(), clear=True))
        time.tzset()
        mock_random.seed(self.seed)
        stack.enter_context(mock_aws(config=MOTO_SETTINGS))  # type: ignore[arg-type]  # moto types its settings as keys
        self.clock.start()
        self.on_close(self.clock.stop)
        stack.enter_context(roles.inherited_by_threads())
        self._install_tools(stack)
        self._install_services()

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "AKIAOFFLINEACCOUNT00",
            "AWS_SECRET_ACCESS_KEY": "offline",
            "AWS_SESSION_TOKEN": "offline",
            "AWS_DEFAULT_REGION": self.name,
            "AWS_REGION": self.name,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "TZ": "UTC",
        }

    def _install_tools(self, stack: ExitStack) -> None:
        """Change what all services use: the way of a call, who may make it, and how much an answer holds."""
        transport.install(self)
        s3.install(self.patch)
        s3_conflicts.install(self)
        dynamodb.install(self.patch)
        guard.install(self, self.iam)
        if self.page_items:
            stack.enter_context(paging.in_pages(self.page_items))
        self.on_close(self.containers.close)

    def _install_services(self) -> None:
        cloud_trail.install(self, self.trail)
        simulation.install(self, self.iam)
        quotas.install(self, self.quotas)
        cost_explorer.install(self, self.bill)
        self.budgets.look()
        lambda_api.install(self, self.functions, self.function_events)
        events.install(self, self.bus)
        cloudwatch.install(self, self.metrics)
        alarms.install(self, self.alarms)
        queues.install(self, self.polling)
        firehose.install(self, self.iam, self.metrics)
        mail.install(self, self.post)
        scheduler.install(self, self.schedules)
        registry.install(self, self.model_registry)
        models.install(self, self.models)
        jobs.install(self, self.jobs)
        tuning.install(self, self.tunings)
        pipelines.install(self, self.pipelines)
        endpoints.install(self, self.endpoints)
        runtime.install(self, self.endpoints)
        feature_store.install(self, self.iam)
        monitoring_schedules.install(self)
        machines.install(self, self.bus, self.metrics)
        athena.install(self, self.iam)
        stacks.install(self, self.stacks)

    @property
    def region(self) -> str:
        """The region's name."""
        return self.name

    @property
    def calls(self) -> list[Call]:
        """Every AWS call that was made, in order."""
        return self.iam.calls

    @property
    def mail_directory(self) -> Path:
        """Where the mails of SNS lie, one file each."""
        return self.post.directory

    @property
    def posted(self) -> list[tuple[str, dict[str, Any]]]:
        """What SNS sent to web addresses: the address and the notice."""
        return self.post.recorded

    def deploy(self, assembly: Path, **parameters: str) -> dict[str, dict[str, str]]:
        """Create every stack of a CDK cloud assembly, or update it, in order; return each stack's outputs."""
        return deploy(Site(self, self.iam, self.functions, self.stacks), Path(assembly), parameters)

    def delete_stack(self, name: str) -> None:
        """Delete a stack and what its template does not retain."""
        self.stacks.delete(name)

    def invoke_function(self, function: str, event: Any) -> Any:
        """Invoke a function by name or ARN and wait for its answer; its failure raises FunctionError."""
        return self.functions.invoke(function, event)

    def invoke_function_later(self, function: str, event: Any) -> None:
        """Invoke a function as an asynchronous caller does: retried twice, then sent to its failure destination."""
        self.function_events.invoke_later(function, event)

    def publish_event(
        self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str] | None = None
    ) -> None:
        """Put an event of an AWS service on the default bus, as of now."""
        self.bus.publish(source, detail_type, detail, resources)

    def put_metric(
        self, namespace: str, name: str, value: float, dimensions: Mapping[str, str], unit: str | None = None
    ) -> None:
        """Put one value of a metric, as of now."""
        self.metrics.put(namespace, name, value, dimensions, unit)

    def serve(self, port: int, about: Mapping[str, str] | None = None) -> Server:
        """Answer the AWS CLI and boto3 on a port of this machine (0 picks a free one) until the account is left.

        `about` is told with the account's directory to whoever deploys into it.
        """
        server = Server(self, self.stacks, self.deploy, port, about or {})
        self.on_close(server.close)
        return server
