"""The function `tell`, which both machines use: an audit entry, and where a person should know, an alert."""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.parts.access import may_read, may_tell, may_use_key, may_use_state, may_write
from stacks.parts.functions import add_function, role_of
from stacks.parts.packages import Packages
from stacks.storage import Storage


def add_teller(scope: Construct, *, packages: Packages, storage: Storage) -> lambda_.Function:
    """Make one stack's own `tell`."""
    function = add_function(
        scope,
        "tell",
        does="an audit entry, and an alert where a person should know",
        packages=packages,
        key=storage.key,
        environment={
            "DATA_BUCKET": storage.data.bucket_name,
            "STATE_TABLE": storage.state.table_name,
            "ALERT_TOPIC_ARN": storage.alerts.topic_arn,
            "EVENT_TOPIC_ARN": storage.events.topic_arn,
        },
    )
    role = role_of(function)
    # Whose model it is, and by which channels its team is told.
    may_read(role, storage.data, "models")
    may_write(role, storage.data, "audit")
    may_use_state(role, storage.state, "GetItem", "PutItem", "DeleteItem")
    may_tell(role, storage.alerts, storage.events)
    may_use_key(role, storage.key)
    return function
