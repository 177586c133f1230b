"""Logs to verdicts: schedules fan out over queues, each stage is a function, and what fails is kept and alarms."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from kedge.config.gauges import MODELS_IN_ALARM, alarm_group
from stacks.dashboards import Pipeline, add_dashboards
from stacks.delivering import Delivering
from stacks.history import HistoryCatalogue
from stacks.joining import Joining
from stacks.models import add_definer
from stacks.pages import Pages
from stacks.parts.access import (
    DEFINITIONS,
    JOBS_OF_OTHERS,
    NO_RESOURCE_TYPE,
    OBJECTS,
    TIMELINE,
    allow,
    may_list,
    may_look_at_transform_jobs,
    may_put_metrics,
    may_read,
    may_read_metrics,
    may_see_what_waits,
    may_send,
    may_tell,
    may_use_key,
    may_use_state,
    may_write,
    objects_below,
)
from stacks.parts.alarms import add_alarm, alarm_on_dead_letters, alarm_on_errors, alarm_on_silence
from stacks.parts.functions import MIB_A_CORE, add_function, bury_failures, consume, role_of
from stacks.parts.naming import RELEASE_MACHINE, RETRAIN_MACHINE, machine_arn, sagemaker_arns, stage_of, synthesizer
from stacks.parts.packages import Packages
from stacks.parts.queues import add_dead_letters, add_stage_queue, retried_environment
from stacks.parts.schedules import Schedules
from stacks.parts.watch import watch_hours
from stacks.storage import Storage
from stacks.streams import FAILED_PREFIX, Streams

PROFILE_SECONDS, JUDGE_SECONDS, DECIDE_SECONDS, DIGEST_SECONDS = 600, 600, 60, 600
SETTLE_SECONDS, LOOK_SECONDS, TICK_SECONDS, EXPIRE_SECONDS = 120, 60, 300, 900
# Definitions and items of ten thousand models take about half a gigabyte (`python -m benchmarks fleet`).
TICK_MIB = 1024


class Monitoring(cdk.Stack):
    """Schedules -> fan_out -> profile_logs; fan_out -> measure_performance (<-> joining) -> detect_drift -> decisions."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        env: cdk.Environment,
        packages: Packages,
        storage: Storage,
        stream_arn: str | None = None,
    ) -> None:
        super().__init__(scope, name, env=env, synthesizer=synthesizer(), description="Kedge: logs to verdicts")
        self._storage, self._packages = storage, packages
        self._watch_hours = watch_hours(packages.models)
        self.undelivered = add_dead_letters(self, "Undelivered")
        self.profiles = add_stage_queue(self, "Profiles", consumer_timeout_seconds=PROFILE_SECONDS)
        self.performances = add_stage_queue(self, "Performances", consumer_timeout_seconds=JUDGE_SECONDS)
        self.drifts = add_stage_queue(self, "Drifts", consumer_timeout_seconds=JUDGE_SECONDS)
        self.decisions = add_stage_queue(self, "Decisions", consumer_timeout_seconds=DECIDE_SECONDS)
        self.captures = add_stage_queue(self, "Captures", consumer_timeout_seconds=LOOK_SECONDS)
        # `settle`, in the stack of releases, takes from it. It is here because `fan_out` sends: a stack sees only those before it.
        self.settlements = add_stage_queue(self, "Settlements", consumer_timeout_seconds=SETTLE_SECONDS)
        wishes = events.Rule(
            self,
            "Wishes",
            event_pattern=events.EventPattern(detail_type=[stage_of(self).named(WISH)]),
            description="Kedge: another program wants a retraining",
        )
        wishes.add_target(targets.SqsQueue(self.decisions, dead_letter_queue=self.undelivered, retry_attempts=10))
        self._settle_what_ends()
        self.joining = Joining(self, "Joining", packages=packages, storage=storage, performances=self.performances)
        if any(model.firehose for model in packages.models):
            Streams(self, "Streams", storage=storage, stream_arn=stream_arn, watch_hours=self._watch_hours)
        self.delivering = Delivering(self, "Delivering", packages=packages, storage=storage)
        self.history = HistoryCatalogue(
            self, "History", packages=packages, storage=storage, workgroup=self.joining.workgroup.ref
        )
        self.pages = Pages(self, "Page", packages=packages, storage=storage)
        self.send_digest = self._send_digest()
        self.expire_captures = self._expire_captures()
        self.define_models = add_definer(self, packages=packages, storage=storage)
        fan_out, profile_logs = self._fan_out(), self._profile_logs()
        measure_performance, detect_drift = self._measure_performance(), self._detect_drift()
        watch_monitor, watch_captures = self._watch_monitor(), self._watch_captures()

        self._schedule(fan_out, watch_monitor)
        consume(watch_captures, self.captures)
        consume(profile_logs, self.profiles)
        consume(measure_performance, self.performances)
        consume(detect_drift, self.drifts)
        self._alarm(
            watch_monitor,
            watch_captures,
            fan_out,
            profile_logs,
            measure_performance,
            self.joining.join_labels,
            detect_drift,
            self.history.keep_history,
            self.pages.write_pages,
            self.pages.draw_widget,
            self.send_digest,
            self.expire_captures,
            self.define_models,
        )
        functions = (fan_out, profile_logs, measure_performance, detect_drift, watch_monitor, watch_captures)
        queues = (self.profiles, self.performances, self.joining.joins, self.drifts, self.decisions, self.captures)
        alarms = [each for each in self.node.find_all() if isinstance(each, cloudwatch.Alarm)]
        add_dashboards(self, Pipeline(alarms, functions, queues, self.pages.draw_widget), packages.models)

    def _settle_what_ends(self) -> None:
        """Have a model settled once one of its executions has ended, whoever ended it."""
        arns = [machine_arn(self, machine) for machine in (RETRAIN_MACHINE, RELEASE_MACHINE)]
        ended = events.Rule(
            self,
            "Ended",
            description="Kedge: an execution has ended",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": arns},
            ),
        )
        ended.add_target(targets.SqsQueue(self.settlements, dead_letter_queue=self.undelivered, retry_attempts=10))

    def _fan_out(self) -> lambda_.Function:
        function = add_function(
            self,
            "fan_out",
            does="one message per deployed model of a cadence, and hourly per model with something to do",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=TICK_MIB,
            timeout_seconds=TICK_SECONDS,
            environment={
                "DATA_BUCKET": self._storage.data.bucket_name,
                "STATE_TABLE": self._storage.state.table_name,
                "PROFILE_QUEUE_URL": self.profiles.queue_url,
                "PERFORMANCE_QUEUE_URL": self.performances.queue_url,
                "DECISION_QUEUE_URL": self.decisions.queue_url,
                "SETTLE_QUEUE_URL": self.settlements.queue_url,
                "CAPTURE_QUEUE_URL": self.captures.queue_url,
            },
        )
        role = role_of(function)
        may_read(role, self._storage.data, *DEFINITIONS)
        # What it has read of the definitions, for the next process.
        parsed = f"{self._storage.data.bucket_arn}/models/parsed.json"
        allow(role, "KeepDefinitions", ["s3:PutObject"], [parsed])
        may_use_state(role, self._storage.state, "BatchGetItem", "GetItem")
        may_see_what_waits(role, self._storage.state)
        # A listing shows for all endpoints whether one has changed.
        allow(role, "ListEndpoints", ["sagemaker:ListEndpoints"], ["*"], wildcard=NO_RESOURCE_TYPE)
        may_send(role, self.profiles, self.performances, self.decisions, self.settlements, self.captures)
        may_use_key(role, self._storage.key)
        return function

    def _profile_logs(self) -> lambda_.Function:
        function = add_function(
            self,
            "profile_logs",
            does="captured requests to counts and a predictions table",
            packages=self._packages,
            key=self._storage.key,
            layers=("statistics",),
            memory_mib=MIB_A_CORE,
            timeout_seconds=PROFILE_SECONDS,
            environment=self._data_environment()
            | {
                "PROFILE_QUEUE_URL": self.profiles.queue_url,
                "ALERT_TOPIC_ARN": self._storage.alerts.topic_arn,
                "EVENT_TOPIC_ARN": self._storage.events.topic_arn,
            },
        )
        role = role_of(function)
        may_read(role, self._storage.data, *DEFINITIONS, "capture", "logs", "baselines", "profiles", "predictions")
        self._storage.captures.may_read(role)
        may_look_at_transform_jobs(role)
        models = sagemaker_arns(self, "model")
        allow(role, "LookAtModelsOfJobs", ["sagemaker:DescribeModel"], models, wildcard=JOBS_OF_OTHERS)
        may_write(role, self._storage.data, "profiles", "predictions", "quarantine", "history/answers", *TIMELINE)
        may_use_state(role, self._storage.state, "GetItem", "PutItem", "DeleteItem", "Query")
        may_tell(role, self._storage.alerts, self._storage.events)
        # A run that stopped before its time was over goes on in a message of its own.
        may_send(role, self.profiles)
        may_use_key(role, self._storage.key)
        may_put_metrics(role)
        return function

    def _measure_performance(self) -> lambda_.Function:
        function = add_function(
            self,
            "measure_performance",
            does="labels joined to answers, and their quality",
            packages=self._packages,
            key=self._storage.key,
            layers=("statistics",),
            # A window just below `labels.athena_from_bytes` takes nearly all of it.
            memory_mib=2048,
            timeout_seconds=JUDGE_SECONDS,
            environment=self._data_environment()
            | {"DRIFT_QUEUE_URL": self.drifts.queue_url, "JOIN_QUEUE_URL": self.joining.joins.queue_url}
            | retried_environment(self.performances),
        )
        role = role_of(function)
        # Captures: for the groups of sensitive custom attributes, which are kept nowhere else.
        may_read(
            role,
            self._storage.data,
            *DEFINITIONS,
            "labels",
            "labelled",
            "predictions",
            "profiles",
            "baselines",
            "reports",
            "capture",
            "athena",
        )
        self._storage.captures.may_read(role)
        may_write(role, self._storage.data, "labelled", "reports", *TIMELINE)
        may_use_state(role, self._storage.state, "GetItem", "PutItem")
        may_send(role, self.drifts, self.joining.joins)
        may_use_key(role, self._storage.key)
        may_put_metrics(role)
        return function

    def _detect_drift(self) -> lambda_.Function:
        function = add_function(
            self,
            "detect_drift",
            does="one window judged against its baseline, told and kept",
            packages=self._packages,
            key=self._storage.key,
            layers=("statistics",),
            memory_mib=MIB_A_CORE,
            timeout_seconds=JUDGE_SECONDS,
            environment=self._data_environment()
            | self._topic_environment()
            | {"DECISION_QUEUE_URL": self.decisions.queue_url, "PAGE_QUEUE_URL": self.pages.queue.queue_url},
        )
        role = role_of(function)
        may_read(role, self._storage.data, *DEFINITIONS, "profiles", "predictions", "baselines", "reports")
        judged = [f"history/{table}" for table in ("windows", "metrics", "columns")]
        may_write(role, self._storage.data, "profiles", "reports", *judged, *TIMELINE)
        # A message is kept until it was sent, and then deleted.
        may_use_state(role, self._storage.state, "GetItem", "PutItem", "DeleteItem", "Query")
        may_tell(role, self._storage.alerts, self._storage.events)
        may_send(role, self.decisions, self.pages.queue)
        may_use_key(role, self._storage.key)
        may_put_metrics(role)
        may_read_metrics(role, "GetMetricData")
        return function

    def _watch_monitor(self) -> lambda_.Function:
        function = add_function(
            self,
            "watch_monitor",
            does="whether every model is still judged, and captured while it is invoked",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=TICK_MIB,
            timeout_seconds=TICK_SECONDS,
            environment=self._data_environment() | self._topic_environment(),
        )
        role = role_of(function)
        objects = objects_below(self._storage.data, *DEFINITIONS, "watch")
        allow(role, "ReadObjects", ["s3:GetObject"], objects, wildcard=OBJECTS)
        may_list(role, self._storage.data, *DEFINITIONS, "capture", "watch", FAILED_PREFIX)
        self._storage.captures.may_list(role)
        may_write(role, self._storage.data, "watch", *TIMELINE)
        may_use_state(role, self._storage.state, "BatchGetItem", "GetItem", "PutItem", "DeleteItem", "Query")
        may_tell(role, self._storage.alerts, self._storage.events)
        may_use_key(role, self._storage.key)
        may_put_metrics(role)
        may_read_metrics(role, "GetMetricData")
        return function

    def _watch_captures(self) -> lambda_.Function:
        function = add_function(
            self,
            "watch_captures",
            does="whether what a package captures can be read",
            packages=self._packages,
            key=self._storage.key,
            timeout_seconds=LOOK_SECONDS,
            environment=self._data_environment() | self._topic_environment(),
        )
        role = role_of(function)
        may_read(role, self._storage.data, *DEFINITIONS, "capture", "logs", "baselines")
        self._storage.captures.may_read(role)
        may_look_at_transform_jobs(role)
        may_write(role, self._storage.data, *TIMELINE)
        may_use_state(role, self._storage.state, "BatchGetItem", "GetItem", "PutItem", "DeleteItem")
        may_tell(role, self._storage.alerts, self._storage.events)
        may_use_key(role, self._storage.key)
        return function

    def _expire_captures(self) -> lambda_.Function:
        function = add_function(
            self,
            "expire_captures",
            does="counted captures deleted where the YAML lets them expire, once a night",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=TICK_MIB,
            timeout_seconds=EXPIRE_SECONDS,
            environment=self._data_environment(),
        )
        role, data = role_of(function), self._storage.data
        # Who compares ETags must be able to read.
        may_read(role, data, *DEFINITIONS, "profiles", "capture", "logs")
        # A day notes that its captures expire.
        may_write(role, data, "profiles")
        captures = objects_below(data, "capture", "logs")
        allow(role, "DeleteExpired", ["s3:DeleteObject"], captures, wildcard=OBJECTS, conditions=ONLY_UNCHANGED)
        may_use_state(role, self._storage.state, "GetItem")
        may_use_key(role, self._storage.key)
        return function

    def _send_digest(self) -> lambda_.Function:
        function = add_function(
            self,
            "send_digest",
            does="a week of each team's models in a message",
            packages=self._packages,
            key=self._storage.key,
            memory_mib=2048,
            timeout_seconds=DIGEST_SECONDS,
            environment=self._data_environment() | self._topic_environment(),
        )
        role = role_of(function)
        may_read(role, self._storage.data, *DEFINITIONS, "history")
        may_write(role, self._storage.data, *TIMELINE)
        may_use_state(role, self._storage.state, "GetItem", "PutItem", "DeleteItem", "Query")
        may_tell(role, self._storage.alerts, self._storage.events)
        groups = sagemaker_arns(self, "model-package-group")
        allow(role, "ListPackages", ["sagemaker:ListModelPackages"], groups, wildcard="models come and go")
        may_use_key(role, self._storage.key)
        return function

    def _schedule(self, fan_out: lambda_.Function, watch_monitor: lambda_.Function) -> None:
        keep_history = self.history.keep_history
        nightly = [keep_history, self.pages.write_pages, self.send_digest, self.expire_captures]
        functions = [fan_out, watch_monitor, *nightly]
        for function in functions:
            bury_failures(function, self.undelivered)
        schedules = Schedules(self, functions=functions, dead_letters=self.undelivered)
        # For each cadence, also one that no deployed model has: a model whose definition lies in the bucket may have it.
        for step, cadence, cron in CADENCES:
            name = f"{step}-{cadence}".title().replace("-", "")
            schedules.every(name, cron, function=fan_out, payload={"step": step, "cadence": cadence})
        schedules.every("Watch", f"50 0/{self._watch_hours} * * ? *", function=watch_monitor)
        # After the night's judgements.
        schedules.every("HistoryDaily", "10 4 * * ? *", function=keep_history)
        # When a week begins to be worked on, after the night's history.
        schedules.every("DigestWeekly", "0 6 ? * MON *", function=self.send_digest)
        # After the first counting of the day that a captured record may still come for.
        schedules.every("ExpiryDaily", "10 5 * * ? *", function=self.expire_captures)
        # Without a judgement or news: who is late, and which models there are.
        schedules.every("PagesDaily", "40 4 * * ? *", function=self.pages.write_pages)

    def _alarm(self, watch_monitor: lambda_.Function, *others: lambda_.Function) -> None:
        topics = [self._storage.alerts, self._storage.events]
        for function in (watch_monitor, *others):
            alarm_on_errors(self, function, topics=topics)
        for queue in (
            self.profiles,
            self.performances,
            self.joining.joins,
            self.drifts,
            self.decisions,
            self.captures,
            self.settlements,
            self.pages.queue,
        ):
            alarm_on_dead_letters(self, queue, topics=topics)
        alarm_on_dead_letters(self, self.undelivered, topics=topics)
        self._alarm_for_the_models()
        alarm_on_silence(self, watch_monitor, hours=2 * self._watch_hours, topics=topics)

    def _alarm_for_the_models(self) -> None:
        """One alarm for each list of addresses, however many models it has; the models of no list, and those of the bucket whose
        list is not deployed, share the deployment's.
        """
        mail = self._storage.mail
        for mail_list in (None, *sorted(mail.lists)):
            metric = cloudwatch.Metric(
                namespace=stage_of(self).namespace,
                metric_name=MODELS_IN_ALARM,
                dimensions_map={"Model": alarm_group(mail_list)},
                period=cdk.Duration.hours(self._watch_hours),
                statistic="Maximum",
            )
            whose = f"a model of the list {mail_list}" if mail_list else "a model"
            says = (
                f"Kedge: {whose} is not judged, is not captured, fails, or has a definition that cannot be followed; a message of Kedge's "
                "names it, and so does the log of watch_monitor"
            )
            people = mail.alarm_topic(self, mail_list) if mail_list else self._storage.alerts
            name = f"{MODELS_IN_ALARM}-{mail_list}" if mail_list else MODELS_IN_ALARM
            add_alarm(
                self,
                name,
                metric,
                at_least=1,
                says=says,
                topics=[people, self._storage.events],
                # Were `watch_monitor` dead, silence would say that all models are well again.
                silence=cloudwatch.TreatMissingData.IGNORE,
            )

    def _data_environment(self) -> dict[str, str]:
        return {"DATA_BUCKET": self._storage.data.bucket_name, "STATE_TABLE": self._storage.state.table_name}

    def _topic_environment(self) -> dict[str, str]:
        storage = self._storage
        return {"ALERT_TOPIC_ARN": storage.alerts.topic_arn, "EVENT_TOPIC_ARN": storage.events.topic_arn}


# Of any source: whoever may put events on the account's bus may wish for a retraining, and what holds one holds this too.
WISH = "kedge.retrain"

# Without an ETag nothing is deleted: what was not counted as it is there stays.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html
ONLY_UNCHANGED = {"Null": {"s3:if-match": "false"}}

# UTC. Profiling goes first: captures come minutes late, and a judgement sums what has been profiled.
CADENCES = (
    ("profile", "hourly", "20 * * * ? *"),
    ("profile", "daily", "30 0 * * ? *"),
    ("judge", "hourly", "40 * * * ? *"),
    ("judge", "daily", "0 2 * * ? *"),
    ("judge", "weekly", "0 2 ? * MON *"),
    # Whatever the cadences are: what held a retraining may be over, an endpoint changed, a message unsent, captures unreadable.
    ("hour", "hourly", "5 * * * ? *"),
)
