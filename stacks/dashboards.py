"""Two dashboards of CloudWatch, however many models there are: all of them, and one that is chosen at its top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from kedge.config.gauges import MODELS_IN_ALARM
from kedge.config.model import ModelConfig
from stacks.parts.naming import RELEASE_MACHINE, RETRAIN_MACHINE, machine_arn, stage_of

# What a variable's chosen value takes the place of, wherever it stands in the dashboard.
MODEL, ENDPOINT = "KEDGE_MODEL", "KEDGE_ENDPOINT"
WIDTH, HALF, THIRD = 24, 12, 8
# An alarm widget shows no more.
ALARMS_MAX = 100
HOUR, DAY = cdk.Duration.hours(1), cdk.Duration.days(1)


@dataclass(frozen=True)
class Pipeline:
    """What the dashboards show of Kedge itself."""

    alarms: Sequence[cloudwatch.Alarm]
    functions: Sequence[lambda_.Function]
    queues: Sequence[sqs.Queue]
    widget: lambda_.Function


def add_dashboards(scope: Construct, pipeline: Pipeline, models: Sequence[ModelConfig]) -> None:
    """Make the dashboard of all models and the one of a chosen model."""
    # A dashboard's name is one for all regions of an account.
    region, stage = cdk.Stack.of(scope).region, stage_of(scope)
    cloudwatch.Dashboard(
        scope,
        "AllModels",
        dashboard_name=stage.named(f"Kedge-all-models-{region}"),
        default_interval=cdk.Duration.days(14),
        widgets=_all_models(scope, pipeline),
    )
    cloudwatch.Dashboard(
        scope,
        "OneModel",
        dashboard_name=stage.named(f"Kedge-one-model-{region}"),
        default_interval=cdk.Duration.days(90),
        variables=_variables(models),
        widgets=_one_model(pipeline.widget, stage.namespace),
    )


def _variables(models: Sequence[ModelConfig]) -> list[cloudwatch.DashboardVariable]:
    # Any name may be typed: most models send no metric by which CloudWatch could list them.
    first = min(models, key=lambda model: model.model, default=None)
    known = {
        "model": ("Model", MODEL, first and first.model),
        "endpoint": ("Its endpoint", ENDPOINT, first and first.endpoint.name),
    }
    return [
        cloudwatch.DashboardVariable(
            id=name,
            label=label,
            type=cloudwatch.VariableType.PATTERN,
            input_type=cloudwatch.VariableInputType.INPUT,
            value=token,
            default_value=cloudwatch.DefaultValue.value(default or "-"),
            visible=True,
        )
        for name, (label, token, default) in known.items()
    ]


def _all_models(scope: Construct, pipeline: Pipeline) -> list[list[cloudwatch.IWidget]]:
    ours = stage_of(scope).namespace
    alarms = cloudwatch.AlarmStatusWidget(
        title="Alarms of the monitoring itself", alarms=[*pipeline.alarms][:ALARMS_MAX], width=WIDTH, height=4
    )
    return [
        [alarms],
        [_drawn(pipeline.widget, "Models by urgency: lost quality times requests a day", {"view": "portfolio"}, 10)],
        [
            _found(ours, "Models that ring, by list of addresses", MODELS_IN_ALARM, "Maximum", DAY),
            _found(ours, "Severity of drift (3 CRITICAL) of models with metrics: few", "DriftSeverity", "Maximum", DAY),
        ],
        _pipeline_health(scope, pipeline),
        _what_costs(scope, pipeline),
    ]


def _pipeline_health(scope: Construct, pipeline: Pipeline) -> list[cloudwatch.IWidget]:
    waiting = [
        queue.metric_approximate_age_of_oldest_message(period=HOUR, statistic="Maximum", label=queue.node.id)
        for queue in pipeline.queues
    ]
    errors = [each.metric_errors(period=HOUR, statistic="Sum", label=each.node.id) for each in pipeline.functions]
    ended = [
        _of_machine(scope, machine, metric, "Sum", f"{machine}: {words}")
        for machine in (RETRAIN_MACHINE, RELEASE_MACHINE)
        for metric, words in (
            ("ExecutionsSucceeded", "ended well"),
            ("ExecutionsFailed", "failed"),
            ("ExecutionsTimedOut", "ran out of time"),
        )
    ]
    return [
        cloudwatch.GraphWidget(title="Oldest message of each stage, seconds", left=waiting, width=THIRD, height=6),
        cloudwatch.GraphWidget(title="Errors of the functions", left=errors, width=THIRD, height=6),
        cloudwatch.GraphWidget(title="Retrainings and releases", left=ended, width=THIRD, height=6),
    ]


def _what_costs(scope: Construct, pipeline: Pipeline) -> list[cloudwatch.IWidget]:
    took = [
        _of_machine(scope, machine, "ExecutionTime", "Maximum", machine)
        for machine in (RETRAIN_MACHINE, RELEASE_MACHINE)
    ]
    ran = [each.metric_duration(period=DAY, statistic="Sum", label=each.node.id) for each in pipeline.functions]
    scanned = cloudwatch.Metric(
        namespace="AWS/Athena",
        metric_name="ProcessedBytes",
        dimensions_map={"WorkGroup": stage_of(scope).named("kedge"), "QueryState": "SUCCEEDED", "QueryType": "DML"},
        period=DAY,
        statistic="Sum",
    )
    return [
        cloudwatch.GraphWidget(title="How long retrainings and releases took, ms", left=took, width=THIRD, height=6),
        cloudwatch.GraphWidget(title="What costs: time of the functions a day, ms", left=ran, width=THIRD, height=6),
        cloudwatch.GraphWidget(title="What costs: bytes that Athena read a day", left=[scanned], width=THIRD, height=6),
    ]


def _one_model(widget: lambda_.Function, ours: str) -> list[list[cloudwatch.IWidget]]:
    chosen = {"model": MODEL}
    latency = [_of_endpoint("ModelLatency", statistic) for statistic in ("p50", "p95", "p99")]
    errors = [_of_endpoint(metric, "Sum") for metric in ("Invocation4XXErrors", "Invocation5XXErrors")]
    return [
        [
            _drawn(
                widget,
                "Quality, with what was released, retrained, refused and told",
                {"view": "quality", **chosen},
                14,
            )
        ],
        [_drawn(widget, "Drift of the columns", {"view": "drift", **chosen}, 8)],
        [
            _drawn(widget, "Answers, then and now", {"view": "answers", **chosen}, 8, HALF),
            _drawn(widget, "Business figures", {"view": "business", **chosen}, 8, HALF),
        ],
        [
            cloudwatch.GraphWidget(title="Latency of the model, microseconds", left=latency, width=HALF, height=6),
            cloudwatch.GraphWidget(title="Requests that failed", left=errors, width=HALF, height=6),
        ],
        [
            _graph("Requests", _of_endpoint("Invocations", "Sum")),
            _graph("Rows captured for 100 requests, a day (metrics: few)", _captured(ours)),
            _graph(
                "Checks of the data's quality that failed (metrics: few)",
                _of_model(ours, "QualityChecksFailed", "Maximum"),
            ),
        ],
    ]


def _drawn(
    function: lambda_.Function, title: str, params: dict[str, str], height: int, width: int = WIDTH
) -> cloudwatch.IWidget:
    return cloudwatch.CustomWidget(
        title=title,
        function_arn=function.function_arn,
        params=params,
        width=width,
        height=height,
        update_on_refresh=True,
        update_on_resize=False,
        update_on_time_range_change=True,
    )


def _graph(title: str, metric: cloudwatch.IMetric) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, left=[metric], width=THIRD, height=6)


def _found(ours: str, title: str, metric: str, statistic: str, period: cdk.Duration) -> cloudwatch.IWidget:
    """One line for each model that has sent the metric in the last two weeks, as far as CloudWatch draws them."""
    search = f"SEARCH('{{{ours},Model}} MetricName=\"{metric}\"', '{statistic}', {period.to_seconds()})"
    expression = cloudwatch.MathExpression(expression=search, using_metrics={}, label="", period=period)
    return cloudwatch.GraphWidget(title=title, left=[expression], width=HALF, height=6)


def _of_model(ours: str, metric: str, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=ours, metric_name=metric, dimensions_map={"Model": MODEL}, period=DAY, statistic=statistic
    )


def _of_endpoint(metric: str, statistic: str) -> cloudwatch.MathExpression:
    """Whatever the endpoint's variant is called."""
    expression = _search_of_endpoint(metric, statistic, cdk.Duration.minutes(5))
    return cloudwatch.MathExpression(expression=expression, using_metrics={}, label=f"{metric} {statistic}")


def _search_of_endpoint(metric: str, statistic: str, period: cdk.Duration) -> str:
    wanted = f'{{AWS/SageMaker,EndpointName,VariantName}} EndpointName="{ENDPOINT}" MetricName="{metric}"'
    return f"SEARCH('{wanted}', '{statistic}', {period.to_seconds()})"


def _captured(ours: str) -> cloudwatch.MathExpression:
    requests = _search_of_endpoint("Invocations", "Sum", DAY)
    return cloudwatch.MathExpression(
        expression=f"100 * rows / SUM({requests})",
        using_metrics={"rows": _of_model(ours, "RowsCaptured", "Sum")},
        label="rows for 100 requests",
        period=DAY,
    )


def _of_machine(scope: Construct, machine: str, metric: str, statistic: str, label: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/States",
        metric_name=metric,
        dimensions_map={"StateMachineArn": machine_arn(cdk.Stack.of(scope), machine)},
        period=DAY,
        statistic=statistic,
        label=label,
    )
