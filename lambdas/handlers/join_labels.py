"""Have Athena join a window's answers with their labels, and count them, where they are too many for one function's memory."""

from __future__ import annotations

from typing import Any

from kedge.config.model import ModelConfig
from kedge.errors import RefusedError
from kedge.labels.join_sql import RUN, answers_table, join_sql, labels_table
from lambdas.adapters import athena_joins, athena_queries, clients, queues
from lambdas.adapters.bucket import days, label_days, layout, package_schemas
from lambdas.adapters.catalogue import load_model
from lambdas.adapters.state.champions import Champion
from lambdas.entry import entry
from lambdas.logs import logger
from lambdas.steps.attempts import RetriedSettings, ended_in_silence
from lambdas.steps.measuring.count_window import CountingDesk, count_window
from lambdas.steps.measuring.join_window import plan_of, question
from lambdas.steps.requests import JoinRequest, failure, is_direct, message_id
from lambdas.steps.served_then import champion_of


class Settings(RetriedSettings):
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
    if ended_in_silence(event, request, champion, settings.state_table):
        # Drift is judged first, and once more when the window is measured.
        leave_to_drift(request, settings, f"an earlier attempt to join its labels did not end; {settings.again}")
    # One place for all attempts of a message: each goes on behind what the ones before have finished. Another message joins anew.
    run = f"{question(settings.data_bucket, config, champion)}-{message_id(event) or context.aws_request_id}"
    desk = CountingDesk(
        settings.data_bucket,
        layout.join_prefix(config.model, run),
        context.aws_request_id,
        settings.athena_database,
        settings.athena_workgroup,
        lambda: context.get_remaining_time_in_millis() / 1000,
    )
    try:
        objects_read = join(request, settings, config, champion, desk, run)
    except Exception as error:
        if is_direct(event):
            raise
        if isinstance(error, RefusedError):
            return give_up(request, settings, event, error)
        why = f"its labels could not be joined ({failure(error)}); {settings.next_step(event)}"
        leave_to_drift(request, settings, why)
        raise
    body = request.answered(desk.prefix).model_dump(mode="json", exclude_none=True)
    logger.info("joined", model=request.model, objects_read=objects_read)
    return pass_on(body, settings, event)


def give_up(request: JoinRequest, settings: Settings, event: dict[str, Any], error: RefusedError) -> dict[str, Any]:
    """Tell the window, and try no more: another attempt would pay for the same queries, and fail as this one did."""
    settings.bury(event, str(error))
    why = f"its labels could not be joined ({error}); its message lies in {settings.dead_letters}"
    leave_to_drift(request, settings, why)
    logger.warning("refused, and not tried again", model=request.model, reason=str(error))
    return {}


def leave_to_drift(request: JoinRequest, settings: Settings, why: str) -> None:
    """Drift never waits for labels: have the window judged without, and once more when a later attempt has joined them."""
    body = request.unmeasured(why).model_dump(mode="json", exclude_none=True)
    queues.send(clients.sqs(), settings.performance_queue_url, body)


def pass_on(body: dict[str, Any], settings: Settings, event: dict[str, Any]) -> dict[str, Any]:
    """Hand the request back to be measured; a person who called takes it there."""
    if not is_direct(event):
        queues.send(clients.sqs(), settings.performance_queue_url, body)
    return body


def join(
    request: JoinRequest, settings: Settings, config: ModelConfig, champion: Champion, desk: CountingDesk, run: str
) -> dict[str, int]:
    """Have Athena join what the day objects vouch for, and count it; return how many objects it was told to read."""
    s3, bucket, start, end = clients.s3(), settings.data_bucket, request.start, request.window.end
    asked = athena_joins.days_of(start, end)
    prefix = layout.profile_days_prefix(config.model, champion.package_version, champion.baseline)
    parts = days.parts_of_package(s3, bucket, prefix, first=asked[0], last=asked[-1])
    labels = label_days.day_keys(s3, bucket, config.model, first=asked[0], last=asked[-1])
    plan = plan_of(request, config, champion, bucket=bucket, run=run, database=desk.database)
    athena_joins.keep_inputs(s3, bucket, desk.prefix, answers=parts, labels=labels)
    if parts:
        answers_at, labels_at = athena_joins.locations(bucket, config.model, f"${{{RUN}}}")
        tables = (
            answers_table(config, plan.rows.columns, location=answers_at),
            labels_table(config, location=labels_at),
        )
        for table in tables:
            athena_queries.create_table(clients.glue(), desk.database, table)
        count_window(plan, join_sql(*tables, database=desk.database, run=run, start=start, end=end), desk)
    return {"answer_parts": len(parts), "label_objects": len(labels)}
