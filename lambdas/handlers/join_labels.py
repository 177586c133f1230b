"""Join a window's answers with their labels on Athena, where they are too many for one function's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kedge.config.model import ModelConfig
from kedge.labels.join_sql import RUN, answers_table, join_sql, joined_schema, labels_table, unload_sql
from lambdas.adapters import athena_joins, athena_queries, clients, queues
from lambdas.adapters.bucket import days, label_days, layout, package_schemas
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state.champions import Champion
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.settings import Settings as Environment
from lambdas.steps.requests import JoinRequest, failure, is_direct, receives
from lambdas.steps.served_then import champion_of


class Settings(Environment):
    """What this function's environment holds."""

    data_bucket: str
    state_table: str
    athena_database: str
    athena_workgroup: str
    performance_queue_url: str


@entry
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Join the window's answers and labels, and hand the request back with where they are."""
    request, settings = JoinRequest.from_event(event), Settings.from_environment()
    config = load_model(request.model, settings.data_bucket)
    champion = champion_of(clients.dynamodb(), settings.state_table, request)
    if champion is None:
        logger.info("nothing to join: no package is deployed", model=request.model)
        return {}
    config = package_schemas.load(clients.s3(), settings.data_bucket, config, champion.baseline)
    known = {*config.feature_names, *config.answer_columns, *config.context, *config.row_identifiers}
    if not {*request.columns} <= known:
        # The request has another package's schema: the next window is measured by this one's.
        why = "another package, with other columns, became champion before its labels were joined"
        unmeasured = request.unmeasured(why).model_dump(mode="json", exclude_none=True)
        return pass_on(unmeasured, settings, event)
    # An attempt's own: what one that was cut off, or that SQS delivers twice, leaves behind is read by nobody.
    run = f"{champion.package_version}-{context.aws_request_id}"
    try:
        objects_read = join(
            request, settings, config, champion, run, lambda: context.get_remaining_time_in_millis() / 1000
        )
    except Exception as error:
        if receives(event) == 1 and not is_direct(event):
            # Drift never waits for labels: the window is judged without, and once more when a later attempt has joined them.
            why = f"its labels could not be joined ({failure(error)}); Kedge tries again"
            queues.send(
                clients.sqs(),
                settings.performance_queue_url,
                request.unmeasured(why).model_dump(mode="json", exclude_none=True),
            )
        raise
    body = request.answered(layout.join_prefix(config.model, run)).model_dump(mode="json", exclude_none=True)
    logger.info("joined", model=request.model, objects_read=objects_read)
    return pass_on(body, settings, event)


def pass_on(body: dict[str, Any], settings: Settings, event: dict[str, Any]) -> dict[str, Any]:
    """Hand the request back to be measured; a person who called takes it there."""
    if not is_direct(event):
        queues.send(clients.sqs(), settings.performance_queue_url, body)
    return body


def join(
    request: JoinRequest,
    settings: Settings,
    config: ModelConfig,
    champion: Champion,
    run: str,
    remaining_seconds: Callable[[], float],
) -> dict[str, int]:
    """Have Athena join what the day objects vouch for; return how many objects it was told to read."""
    s3, bucket, start, end = clients.s3(), settings.data_bucket, request.start, request.window.end
    asked = athena_joins.days_of(start, end)
    prefix = layout.profile_days_prefix(config.model, champion.package_version, champion.baseline)
    parts = days.parts_of_package(s3, bucket, prefix, first=asked[0], last=asked[-1])
    labels = label_days.day_keys(s3, bucket, config.model, first=asked[0], last=asked[-1])
    prefix, schema = layout.join_prefix(config.model, run), joined_schema(config, request.columns)
    athena_joins.save_inputs(s3, bucket, prefix, answers=parts, labels=labels, schema=schema)
    if parts:
        answers_at, labels_at, _ = athena_joins.locations(bucket, config.model, f"${{{RUN}}}")
        tables = answers_table(config, request.columns, location=answers_at), labels_table(config, location=labels_at)
        for table in tables:
            athena_queries.create_table(clients.glue(), settings.athena_database, table)
        select = join_sql(*tables, database=settings.athena_database, run=run, start=start, end=end)
        athena_queries.run(
            unload_sql(select, athena_joins.locations(bucket, config.model, run)[2]),
            database=settings.athena_database,
            workgroup=settings.athena_workgroup,
            remaining_seconds=remaining_seconds,
        )
    return {"answer_parts": len(parts), "label_days": len(labels)}
