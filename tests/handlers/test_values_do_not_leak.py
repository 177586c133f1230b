"""Ids, values of columns of many levels, wrong labels and predictions reach no log, mail, event, item, metric or timeline."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from lambdas.handlers import decide_retraining, detect_drift, measure_performance, profile_logs
from tests.handlers.aws_world import CONTEXT
from tests.handlers.bookings import load_bookings, publish_labels
from tests.handlers.labels import record, upload
from tests.handlers.monitor_world import MODEL, TABLE, load_event, message, monitor_world, scored

NOW = datetime(2016, 1, 4, 2, tzinfo=UTC)
SECRETS = ("Hildegard", "guest-", "Mistyped", "0.12345432")
LEVELS = 300


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        world.promote(datetime(2015, 10, 1, tzinfo=UTC))
        yield world


def with_secrets(rows: pa.Table, levels: np.ndarray) -> pa.Table:
    """The bookings with names for meals, and with ids that are nobody's business."""
    names = pa.array([f"Hildegard-{level}" for level in levels])
    ids = pa.array([f"guest-{row_id}" for row_id in rows.column("id").to_pylist()])
    rows = rows.set_column(rows.column_names.index("meal"), "meal", names)
    return rows.set_column(rows.column_names.index("id"), "id", ids)


def said(world, capsys) -> dict[str, str]:
    """Everything that leaves the account's data: by where it is said."""
    items = world.dynamodb.scan(TableName=TABLE)["Items"]
    return {
        "logs": "".join(capsys.readouterr()),
        "mails": json.dumps(world.mails()),
        "events": json.dumps(world.received("programs")),
        "timeline": json.dumps(world.timeline()),
        "items": json.dumps(items),
        "metrics": str([(m.name, m.value, m.dimensions) for m in world._metrics()]),
    }


def test_a_day_of_drift_broken_records_and_wrong_labels_tells_no_value(world, capsys):
    before, after = load_bookings("2015-07-01", "2015-10-01"), load_bookings("2015-12-07", "2016-01-04")
    draw = np.random.default_rng(0)
    world.freeze(rows=with_secrets(before, draw.integers(LEVELS, size=before.num_rows)))
    after = with_secrets(after, np.where(draw.uniform(size=after.num_rows) < 0.7, 7, LEVELS + 1))
    scores = scored(after, skill=0.1, seed=1)[0]
    world.answer(after, scores)
    broken = [f'{{"captureData": {{"endpointInput": "Hildegard-7", "guest-{n}' for n in range(200)]
    endpoint = world.config.endpoint
    prefix = f"capture/{MODEL}/1/{endpoint.name}/{endpoint.variant}"
    world.put(f"{prefix}/2016/01/03/10/broken.jsonl", "\n".join(broken).encode())
    world.capture(after.slice(0, 50), np.full(50, 0.12345432), name="again")
    publish_labels(world, after, until=NOW)
    upload(world, NOW, *(record(f"guest-nobody-{n}", "Mistyped") for n in range(500)))
    profile_logs.handler(load_event("message_profile"), CONTEXT)
    measure_performance.handler(load_event("message_judge"), CONTEXT)
    (judged,) = world.received("drift")
    detect_drift.handler(message(judged), CONTEXT)
    for decision in world.received("decision"):
        decide_retraining.handler(message(decision), CONTEXT)
    found = said(world, capsys)
    assert "window_judged" in found["timeline"]
    assert "meal" in found["mails"]  # it is told that the column drifted
    assert {(where, secret) for where, text in found.items() for secret in SECRETS if secret in text} == set()
