"""Nothing is lost, nothing is shown twice, and no secret is anywhere, whatever the services do."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from kedge.config.owners import PagerDutyPlace, Route
from kedge.severity import Severity
from lambdas.adapters import clients
from lambdas.adapters.bucket.history import load_history
from lambdas.adapters.bucket.timeline import Entry
from lambdas.adapters.catalogue import find_model
from lambdas.adapters.channels.sending import Reply
from lambdas.adapters.models import load_model
from tests.handlers.aws_world import BUCKET, CONTEXT, MODEL, TABLE
from tests.handlers.deliver.deliver_world import CHANNELS, MONDAY, WEEK, deliver_world, failed, window
from tests.handlers.deliver.services import SECRETS

EPISODE = f"{MODEL}/episode/2016-01-04T03:00:00Z"
# Another deployment's bucket has another name.
INCIDENT = f"{sha256(BUCKET.encode()).hexdigest()[:8]}/{EPISODE}"
CHATS = ("slack", "teams", "webhook")
ACT = {"package_version": "2", "by": "ann", "reason": "seen", "until": "2016-02-01T00:00:00Z"}
BUSY = (429, {"Retry-After": "77"}, b"")


@pytest.fixture
def world(monkeypatch, tmp_path):
    with deliver_world(monkeypatch, tmp_path) as world:
        yield world


def shown(world):
    return {channel: len(found) for channel, found in world.services.shown.items()}


def test_a_message_is_shown_once_by_every_channel(world):
    world.publish(window("begins"))
    world.drain()
    assert shown(world) == dict.fromkeys(CHANNELS, 1)
    (incident,) = world.services.shown["pagerduty"]
    assert (incident["dedup_key"], incident["payload"]["severity"]) == (INCIDENT, "critical")
    links = {link["text"]: link["href"] for link in incident["links"]}
    assert [*links] == ["Runbook", "Report", "Model page", "Dashboard"]
    assert links["Runbook"] == "https://example.com/runbook"
    assert links["Report"].startswith("https://console.aws.amazon.com/s3/object/")
    assert links["Model page"].endswith(f"prefix=reports/{MODEL}/index.html")
    (alert,) = world.services.shown["opsgenie"]
    assert alert["details"]["model page"] == links["Model page"]
    (post,) = world.services.shown["slack"]
    assert post["text"].startswith(f"CRITICAL: {MODEL}: adr drifted")
    assert "&amp; &lt;rising&gt;" in json.dumps(post["blocks"])
    (event,) = world.services.shown["webhook"]
    assert (event["episode"], event["resolved"], event["repeated"]) == (EPISODE, False, False)


def test_the_same_message_published_or_delivered_again_is_not_shown_again(world):
    for repeated in ({}, {}, {"repeated": True}):
        world.publish(window("begins", **repeated))
        world.drain()
    assert shown(world) == dict.fromkeys(CHANNELS, 1)


def test_the_end_of_an_episode_resolves_the_incident_and_answers_in_the_thread(world):
    for news, weeks in (("begins", 0), ("worse", 1), ("ends", 2)):
        world.publish(window(news, weeks=weeks))
        world.drain()
    assert world.services.incidents == {"pagerduty": {INCIDENT: "resolved"}, "opsgenie": {INCIDENT: "closed"}}
    first, *answers = world.services.shown["slack"]
    assert [answer["thread_ts"] for answer in answers] == [first["ts"]] * 2
    assert (len(world.services.shown["pagerduty"]), len(world.services.shown["teams"])) == (1, 3)


def test_an_episode_that_comes_back_opens_the_incident_again(world):
    for news, weeks in (("begins", 0), ("ends", 1), ("back", 2)):
        world.publish(window(news, weeks=weeks))
        world.drain()
    assert world.services.incidents == {"pagerduty": {INCIDENT: "triggered"}, "opsgenie": {INCIDENT: "open"}}


@pytest.mark.parametrize("pager", ["pagerduty", "opsgenie"])
def test_an_older_message_does_not_open_what_a_newer_one_has_closed(world, pager):
    world.publish(window("begins"), pager)
    world.services.fail(pager, BUSY)
    world.turn(pager)
    world.publish(window("ends", weeks=2), pager)
    world.drain(pager)
    world.publish(window("worse", weeks=1), pager)
    world.drain(pager)
    assert set(world.services.incidents[pager].values()) <= {"resolved", "closed"}
    assert world.buried(pager) == []


def test_a_chat_says_that_a_message_is_older_than_the_one_before(world):
    world.publish(window("ends", weeks=1), *CHATS)
    world.drain(*CHATS)
    world.publish(window("begins"), *CHATS)
    world.drain(*CHATS)
    assert "A newer message was sent before this one." in json.dumps(world.services.shown["slack"][1]["blocks"])
    assert "A newer message was sent before this one." in json.dumps(world.services.shown["teams"][1])
    assert [each["late"] for each in world.services.shown["webhook"]] == [False, True]


@pytest.mark.parametrize("kind", ["approved", "rejected", "paused", "muted"])
def test_what_a_person_did_acknowledges_the_open_episode(world, kind):
    from kedge.alerts.episode import Alarm, AlertEpisode
    from kedge.severity import Severity
    from lambdas.adapters.state import alert_episodes

    alarms = {"column adr": Alarm(Severity.CRITICAL, MONDAY)}
    open_episode = AlertEpisode(MONDAY - WEEK, MONDAY, "1", alarms, MONDAY, MONDAY, opened=MONDAY)
    alert_episodes.save(world.dynamodb, TABLE, MODEL, open_episode, revision=0)
    world.publish(window("begins"), "pagerduty", "opsgenie")
    world.drain("pagerduty", "opsgenie")
    world.publish(Entry(MODEL, kind, MONDAY + WEEK, ACT), "pagerduty", "opsgenie")
    world.drain("pagerduty", "opsgenie")
    assert world.services.incidents == {"pagerduty": {INCIDENT: "acknowledged"}, "opsgenie": {INCIDENT: "acknowledged"}}


def test_an_act_without_an_open_episode_is_no_news_for_a_pager_whose_routes_do_not_take_it(world, monkeypatch):
    from lambdas.steps import deliver_message

    def alarms_alone(name, bucket):
        found = find_model(name, bucket)
        routes = tuple(Route(severity=(Severity.CRITICAL,), to=route.to) for route in found.alerts.routes)
        return found.model_copy(update={"alerts": found.alerts.model_copy(update={"routes": routes})})

    monkeypatch.setattr(deliver_message, "find_model", alarms_alone)
    world.publish(Entry(MODEL, "approved", MONDAY, ACT), "pagerduty", "opsgenie")
    world.drain("pagerduty", "opsgenie")
    assert (world.services.requests, world.buried("pagerduty")) == ([], [])


def delivered(world):
    s3, since = clients.s3(), datetime(2016, 1, 1, tzinfo=UTC)
    return load_history(s3, BUCKET, MODEL, "deliveries", since=since).to_pylist()


def test_the_history_says_what_each_channel_answered(world):
    world.services.fail("teams", BUSY, (404, {}, b"gone, said the very-secret"))
    world.publish(window("begins"))
    world.drain()
    rows = {row["channel"]: row for row in delivered(world)}
    assert {channel: row["status"] for channel, row in rows.items()} == {
        **dict.fromkeys(CHANNELS, "delivered"),
        "teams": "refused",
    }
    assert (rows["teams"]["answer"], rows["slack"]["answer"]) == ("status 404", "ok")
    assert rows["pagerduty"]["answer"] == "status 202"
    assert {(row["model"], row["kind"], row["team"], row["episode"], row["resolved"]) for row in rows.values()} == {
        (MODEL, "window_judged", "risk", EPISODE, False)
    }
    assert all(row["answer_seconds"] >= 0 and row["attempts"] >= 1 for row in rows.values())
    assert rows["teams"]["attempts"] > rows["slack"]["attempts"]
    assert not any(secret in str(rows) for secret in SECRETS.values())


def test_an_attempt_that_is_tried_again_is_a_row_that_the_next_one_replaces(world):
    world.services.fail("slack", BUSY)
    world.publish(window("begins"), "slack")
    world.turn("slack")
    assert [(row["status"], row["answer"]) for row in delivered(world)] == [("failed", "status 429")]
    world.drain("slack")
    assert [row["status"] for row in delivered(world)] == ["delivered"]
    # What comes once more is not sent, and changes nothing.
    world.publish(window("begins"), "slack")
    world.drain("slack")
    assert [row["answer"] for row in delivered(world)] == ["ok"]


def test_a_key_of_pagerdutys_european_region_goes_there(world, monkeypatch):
    from lambdas.steps import deliver_message

    def european(name, bucket):
        found = find_model(name, bucket)
        place = PagerDutyPlace(secret="kedge/pagerduty", url="https://events.eu.pagerduty.com")
        return found.model_copy(update={"owner": found.owner.model_copy(update={"pagerduty": place})})

    hosts = []
    monkeypatch.setattr(deliver_message, "find_model", european)
    monkeypatch.setattr(deliver_message, "send", lambda post, read: hosts.append(post.url) or read(Reply(202)))
    world.publish(window("begins"), "pagerduty")
    world.drain("pagerduty")
    assert hosts == ["https://events.eu.pagerduty.com/v2/enqueue"]


def test_news_that_is_no_alarm_wakes_nobody(world):
    world.publish(Entry(MODEL, "canary_started", MONDAY, {"run": "m-r2"}), "pagerduty", "opsgenie")
    world.drain("pagerduty", "opsgenie")
    (change,) = world.services.changes
    assert (world.services.incidents["pagerduty"], MODEL in change["payload"]["summary"]) == ({}, True)
    assert world.services.shown["opsgenie"][0]["priority"] == "P5"


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        (BUSY, [77]),
        ((503, {"Retry-After": "5"}, b""), [5]),
        ((500, {}, b"oops"), [30]),
        ((408, {}, b""), [30]),
        ((429, {"Retry-After": "999999"}, b""), [39600]),
        ((429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""), [1]),
        ("lost", [30]),
        ("hangs", [30]),
    ],
    ids=["429", "503", "500", "408", "429 for days", "429 until a date", "answer lost", "timeout"],
)
def test_what_may_pass_is_tried_again_when_the_service_wants_it(world, channel, fault, waits):
    world.services.fail(channel, fault)
    world.publish(window("begins"), channel)
    world.drain(channel)
    assert (world.waits, world.buried(channel)) == (waits, [])
    found = world.services.shown[channel]
    assert len(found) == (2 if fault == "lost" and channel in CHATS else 1)
    # Shown twice only where the answer was lost, and then the second says so.
    marked = ["received this message before" in json.dumps(each) or each.get("repeated") is True for each in found]
    assert marked.count(True) >= len(found) - 1


def test_a_service_that_always_wants_a_moment_does_not_use_up_the_tries_at_once(world):
    world.services.fail("slack", *[(429, {"Retry-After": "1"}, b"")] * 7)
    world.publish(window("begins"), "slack")
    world.drain("slack")
    assert (world.waits, shown(world)["slack"]) == ([1] * 5 + [900] * 2, 1)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("status", [302, 307, 400, 404, 410, 413, 422])
def test_what_a_person_must_see_to_is_buried_at_once_with_its_reason(world, channel, status):
    world.services.fail(channel, (status, {"Location": "https://slack.com/elsewhere"}, b"never shown"))
    world.publish(window("begins"), channel)
    world.drain(channel)
    ((why, body),) = world.buried(channel)
    assert f"status {status}" in why
    assert len(world.services.requests) == 1
    assert shown(world)[channel] == 0
    # Redriven once the cause is gone, it is shown.
    world.sqs.send_message(QueueUrl=world.places[channel]["queue"], MessageBody=body)
    world.drain(channel)
    assert shown(world)[channel] == 1


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_copy_that_was_buried_and_comes_again_is_neither_shown_nor_buried_twice(world, channel):
    world.services.fail(channel, (404, {}, b""))
    world.publish(window("begins"), channel)
    world.turn(channel, doubled=True)
    assert shown(world)[channel] == 0
    assert len(world.buried(channel)) == 1


@pytest.mark.parametrize(
    ("word", "buried"),
    [
        *[(word, True) for word in ("channel_not_found", "invalid_auth", "not_in_channel", "msg_blocks_too_long")],
        *[(word, False) for word in ("ratelimited", "fatal_error", "service_unavailable")],
    ],
)
def test_slacks_refusal_behind_status_200_is_read(world, word, buried):
    said = (200, {"Retry-After": "3"}, json.dumps({"ok": False, "error": word}).encode())
    world.services.fail("slack", *([said] * (2 if buried else 1)))
    world.publish(window("begins"), "slack")
    world.turn("slack")
    assert [why for why, _ in world.buried("slack")] == ([word] if buried else [])
    assert world.waits == ([] if buried else [3])


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b""])
def test_an_answer_that_is_not_slacks_is_no_acceptance(world, answer):
    world.services.fail("slack", (200, {}, answer))
    world.publish(window("begins"), "slack")
    world.drain("slack")
    assert (world.waits, shown(world)["slack"]) == ([30], 1)


@pytest.mark.parametrize("channel", ["pagerduty", "opsgenie"])
def test_the_page_of_a_proxy_is_no_acceptance_by_a_pager(world, channel):
    world.services.fail(channel, (200, {"Content-Type": "text/html"}, b"<html>Please log in</html>"))
    world.publish(window("begins"), channel)
    world.drain(channel)
    assert (world.waits, shown(world)[channel], world.buried(channel)) == ([30], 1, [])


def test_a_message_whose_thread_a_person_deleted_begins_another(world):
    for news, weeks in (("begins", 0), ("worse", 1), ("ends", 2)):
        if news == "worse":
            world.services.shown["slack"].clear()
        world.publish(window(news, weeks=weeks), "slack")
        world.drain("slack")
    worse, ends = world.services.shown["slack"]
    assert "thread_ts" not in worse
    assert ends["thread_ts"] == worse["ts"]
    assert "received this message before" not in json.dumps(worse)
    assert world.buried("slack") == []


@pytest.mark.parametrize("wait", ["9" * 5000, "Mon, 01 Jan 2035 00:00:00 +999999999999", "-5", "soon", ""])
def test_a_strange_wish_to_wait_is_no_reason_to_fail(world, wait):
    world.services.fail("slack", (429, {"Retry-After": wait}, b""))
    world.publish(window("begins"), "slack")
    world.drain("slack")
    assert (world.waits, shown(world)["slack"]) == ([30], 1)


@pytest.mark.parametrize(
    "address",
    ["flows.example.com:port/x", "[flows/x", "a..b/x", f"{'a' * 70}.com/x", "flows.example.com/x?sig=secr\u00e9t"],
)
def test_a_malformed_address_is_buried_without_a_word_of_it(world, caplog, address):
    world.put_secret("teams", f"https://{address}")
    world.publish(window("begins"), "teams")
    world.drain("teams")
    assert [why for why, _ in world.buried("teams")] == ["the address is malformed"]
    assert address not in json.dumps([vars(record) for record in caplog.records], default=str, ensure_ascii=False)


@pytest.mark.parametrize("fault", ["drips", "huge"])
def test_an_answer_is_bounded_in_time_and_in_size(world, fault):
    world.services.fail("slack", fault)
    world.publish(window("begins"), "slack")
    world.drain("slack")
    assert world.waits == [30]
    assert "received this message before" in json.dumps(world.services.shown["slack"][-1])


def test_a_failing_channel_or_message_delays_no_other(world):
    world.services.fail("slack", *[BUSY] * 4)
    world.publish(window("begins"), "slack", "teams")
    world.publish(failed(), "slack", "teams")
    world.turn("teams")
    world.turn("slack")
    assert shown(world) == {**dict.fromkeys(CHANNELS, 0), "teams": 2}
    world.drain("slack")
    assert shown(world)["slack"] == 2


def test_a_rotated_secret_is_read_anew_after_a_refusal(world):
    for channel in CHANNELS:
        world.publish(window("begins"), channel)
        world.drain(channel)
        world.services.secrets[channel] = "f" * 32 if channel == "pagerduty" else SECRETS[channel] + "-rotated"
        world.put_secret(channel, world.services.secrets[channel])
        world.publish(window("worse", weeks=1), channel)
        world.drain(channel)
        assert (world.buried(channel), world.waits) == ([], [])
        assert len([1 for name, _ in world.services.requests if name == channel]) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_the_address_of_a_workflow_that_was_replaced_is_read_anew(world, status):
    world.publish(window("begins"), "teams")
    world.drain("teams")
    world.services.secrets["teams"] += "-new"
    world.put_secret("teams", world.services.secrets["teams"])
    world.services.fail("teams", (status, {}, b""))
    world.publish(failed(), "teams")
    world.drain("teams")
    assert (world.buried("teams"), shown(world)["teams"]) == ([], 2)


def test_a_column_with_a_hostile_name_is_only_a_name(world):
    names = [
        "<script>alert(1)</script>",
        "![x](https://evil.example/x.png)",
        "<!channel>",
        "https://evil.example/login",
    ]
    reasons = [f"{name}: KS 0.37 (0.03 without drift; limit 0.1)" for name in names]
    columns = [{"name": name, "severity": "CRITICAL"} for name in names]
    world.publish(window("begins", reasons=reasons, columns=columns), *CHANNELS)
    world.drain()
    assert shown(world) == dict.fromkeys(CHANNELS, 1)
    slack, teams = (json.dumps(world.services.shown[channel], ensure_ascii=False) for channel in ("slack", "teams"))
    assert "evil.example/login" in slack
    assert not [word for word in ("<script", "<!channel", "<https://evil") if word in slack]
    assert "](" not in teams
    assert "<https://" in slack, "Kedge's own links are links"


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_secret_that_is_missing_or_has_the_wrong_form_is_told_by_its_name(world, channel):
    world.put_secret(channel, "hunter2")
    world.publish(window("begins"), channel)
    world.drain(channel)
    ((why, _),) = world.buried(channel)
    assert f"kedge/{channel} has the wrong form" in why
    assert "hunter2" not in why
    world.secretsmanager.delete_secret(SecretId=f"kedge/{channel}", ForceDeleteWithoutRecovery=True)
    world.publish(failed(), channel)
    from lambdas.adapters import secrets

    secrets.forget()
    world.drain(channel)
    assert any(f"kedge/{channel} cannot be read" in why for why, _ in world.buried(channel))
    assert world.services.requests == []


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"model": "x"}', '{"detail": 1, "time": "now"}'])
def test_what_is_no_event_is_buried(world, body):
    world.sqs.send_message(QueueUrl=world.places["slack"]["queue"], MessageBody=body or " ")
    world.drain("slack")
    assert [why for why, _ in world.buried("slack")] == ["it is no event of Kedge's"]


def test_a_message_of_a_model_that_is_gone_is_kept_for_a_person(world):
    world.publish(Entry("parcels", "failed", MONDAY, {"run": "r"}), "slack")
    world.drain("slack")
    assert [why for why, _ in world.buried("slack")] == ["parcels has no address for slack any more"]


def test_content_of_any_length_fits_each_service(world):
    world.publish(window("begins", reasons=["wörd & <tag> 😀 " * 4000] * 5), *CHANNELS)
    world.publish(failed(cause="x" * 50_000, error="é" * 3000), *CHANNELS)
    world.drain()
    assert shown(world) == dict.fromkeys(CHANNELS, 2)
    assert all(world.buried(channel) == [] for channel in CHANNELS)


def test_no_secret_is_in_a_log_a_queue_or_the_state_table(world, caplog):
    for channel in CHANNELS:
        refused = (400, {}, SECRETS[channel].encode())
        world.services.fail(channel, "lost", (500, {}, SECRETS[channel].encode()), refused)
    world.publish(window("begins"))
    world.drain()
    told = json.dumps([vars(record) for record in caplog.records], default=str)
    kept = json.dumps(world.dynamodb.scan(TableName=TABLE)["Items"])
    dead = json.dumps([world.buried(channel) for channel in CHANNELS])
    assert told.count("status 400") == len(CHANNELS)
    for secret in (*SECRETS.values(), "very-secret"):
        assert secret not in told + kept + dead


def test_a_service_whose_certificate_is_not_trusted_gets_nothing(world, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    world.publish(window("begins"), "slack")
    world.turn("slack")
    assert (world.services.requests, world.waits) == ([], [30])


def test_with_little_time_left_a_message_is_left_for_the_next_run(world, monkeypatch):
    world.publish(window("begins"), "slack")
    with monkeypatch.context() as patched:
        patched.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 5_000)
        world.turn("slack")
    assert (world.services.requests, world.waits) == ([], [1])
    world.drain("slack")
    assert shown(world)["slack"] == 1


def test_the_owner_comes_from_the_team(world):
    assert load_model(MODEL, BUCKET).owner.team == "risk"
