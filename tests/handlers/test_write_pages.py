"""write_pages renews the page of a model and the page of all; draw_widget draws the same history for a dashboard."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters import clients
from lambdas.adapters.bucket import history, shown_history, timeline
from lambdas.adapters.bucket.timeline import Entry
from lambdas.handlers import draw_widget, write_pages
from lambdas.steps import mend_history
from report.pages.widget import VIEWS
from tests.handlers.aws_world import BUCKET, CONTEXT
from tests.handlers.monitor_world import MODEL, message, monitor_world
from tests.report.pages.histories import report

END = datetime(2016, 1, 4, tzinfo=UTC)
NOW = END + timedelta(hours=2)
KEY = f"reports/{MODEL}/1/2016-01-04T00/drift-r1.json"


@pytest.fixture
def world(monkeypatch):
    with monitor_world(monkeypatch) as world:
        yield world


def judged(world, end=END, key=KEY):
    """A judged window, as detect_drift leaves it."""
    start = end - timedelta(days=28)
    window = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}", "rows": 2800}
    content = report(model=MODEL, baseline="1", revision=1, window=window, quality=[])
    history.save_window(world.s3, BUCKET, content, key)
    world.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(content).encode())


def happened(world, kind, time=NOW, **detail):
    entry = Entry(MODEL, kind, time, detail)
    history.save_decision(world.s3, BUCKET, entry.to_json(), f"audit/{MODEL}/{time:%Y/%m/%d/%H%M%S}-{kind}.json")


def read(world, key):
    return world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()


def ask(*bodies, **body):
    """Hand over one message, or a batch of them."""
    records = []
    for number, each in enumerate(bodies or [body]):
        (record,) = message({"time": NOW.isoformat()} | each)["Records"]
        records.append(record | {"messageId": f"message-{number}"})
    return write_pages.handler({"Records": records}, CONTEXT)


DONE = {"batchItemFailures": []}
TICK = {"time": NOW.isoformat()}


def draw(**parameters):
    context = {"theme": "dark", "timeRange": {"start": 1.4e12, "end": NOW.timestamp() * 1000}}
    return draw_widget.handler({"widgetContext": context, **parameters}, CONTEXT)


def test_a_judged_window_is_on_the_model_s_page_with_a_link_to_its_report(world):
    judged(world)
    assert ask(model=MODEL) == DONE
    page = read(world, f"reports/{MODEL}/index.html")
    assert 'href="1/2016-01-04T00/drift-r1.html"' in page
    assert "AUC 0.78" in page
    found = world.s3.head_object(Bucket=BUCKET, Key=f"reports/{MODEL}/index.html")
    assert found["ContentType"] == "text/html; charset=utf-8"


@pytest.fixture
def listings(world):
    """What was listed of the history."""
    found, events = [], clients.s3().meta.events

    def count(params, **_):
        prefix = params["query_string"]["prefix"]
        found.extend([prefix] if prefix.startswith("history/") else [])

    events.register("before-call.s3.ListObjectsV2", count)
    yield found
    events.unregister("before-call.s3.ListObjectsV2", count)


def a_year(world):
    """Thirteen months of windows, and news of the first and the last day."""
    for weeks in range(56):
        end = END - timedelta(weeks=weeks)
        judged(world, end, KEY.replace("2016-01-04", f"{end:%Y-%m-%d}"))
    happened(world, "canary_promoted", END - timedelta(days=390), package_version="1")
    happened(world, "retraining_started")


def page_of(world):
    return read(world, f"reports/{MODEL}/index.html")


def test_a_renewed_page_lists_the_newest_months_and_is_what_reading_all_would_give(world, listings):
    a_year(world)
    ask(model=MODEL)
    assert len(listings) > 100
    listings.clear()
    later = END + timedelta(days=7)
    judged(world, later, KEY.replace("2016-01-04", "2016-01-11"))
    ask(model=MODEL, time=later.isoformat(), window_end=later.isoformat())
    assert len(listings) <= 8, listings
    kept = page_of(world)
    shown_history.forget(world.s3, BUCKET, MODEL)
    ask(model=MODEL, time=later.isoformat())
    assert page_of(world) == kept
    assert "2016-01-11" in kept


def test_an_old_window_that_is_judged_again_replaces_what_the_page_showed(world):
    a_year(world)
    ask(model=MODEL)
    old, before = END - timedelta(weeks=20), page_of(world)
    window = {
        "start": f"{old - timedelta(days=28):%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{old:%Y-%m-%dT%H:%M:%SZ}",
        "rows": 2800,
    }
    content = report(model=MODEL, baseline="1", revision=2, window=window, quality=[], performance={})
    history.save_window(world.s3, BUCKET, content, KEY.replace("2016-01-04", f"{old:%Y-%m-%d}"))
    ask(model=MODEL, window_end=old.isoformat())
    kept = page_of(world)
    assert kept != before
    shown_history.forget(world.s3, BUCKET, MODEL)
    ask(model=MODEL)
    assert page_of(world) == kept


def test_what_the_night_mends_is_on_the_next_page(world):
    a_year(world)
    ask(model=MODEL)
    forgotten = Entry(MODEL, "canary_rolled_back", END - timedelta(days=200), {"package_version": "9"})
    timeline.record(world.s3, BUCKET, forgotten)
    mend_history.mend(world.s3, BUCKET, since=END - timedelta(days=400))
    ask(model=MODEL)
    assert "version 9" in page_of(world)


def test_news_of_the_topic_renews_the_page_whatever_else_it_holds(world):
    happened(world, "canary_promoted", package_version="2")
    ask(model=MODEL, kind="canary_promoted", detail={"package_version": "2"}, severity="OK", team=None)
    assert "released" in read(world, f"reports/{MODEL}/index.html")


def test_a_model_that_has_been_taken_away_gets_no_page_and_fails_nothing(world):
    assert ask(model="gone") == DONE


def test_a_model_of_which_nothing_is_known_gets_no_page(world):
    assert ask(model=MODEL) == DONE
    assert "Contents" not in world.s3.list_objects_v2(Bucket=BUCKET, Prefix=f"reports/{MODEL}/")


def test_the_page_of_all_models_has_those_that_were_judged_and_those_that_were_not(world):
    write_pages.handler(TICK, CONTEXT)
    assert "never" in read(world, "reports/index.html")
    judged(world)
    ask(model=MODEL)
    page = read(world, "reports/index.html")
    assert "7.1% lost on 100 rows a day" in page
    assert "late from 2016-01-18 00:00" in page, "it is true at any later hour too"
    found = world.s3.head_object(Bucket=BUCKET, Key="reports/index.html")
    assert found["ContentType"] == "text/html; charset=utf-8"


@pytest.fixture
def written(world):
    """The keys that were written."""
    found, events = [], clients.s3().meta.events
    count = lambda params, **_: found.append(params["url_path"].removeprefix("/"))  # noqa: E731
    events.register("before-call.s3.PutObject", count)
    yield found
    events.unregister("before-call.s3.PutObject", count)


def test_a_batch_writes_each_model_s_page_once_and_the_page_of_all_once(world, written):
    judged(world)
    happened(world, "canary_promoted", package_version="1")
    written.clear()
    assert ask({"model": MODEL}, {"model": MODEL, "window_end": END.isoformat()}, {"model": "gone"}) == DONE
    assert written.count("reports/index.html") == 1
    assert written.count(f"reports/{MODEL}/index.html") == 1


def test_a_model_whose_page_cannot_be_written_holds_up_no_other(world, monkeypatch):
    judged(world)
    find_model = write_pages.find_model
    monkeypatch.setattr(
        write_pages, "find_model", lambda name, bucket: {}["absent"] if name == "broken" else find_model(name, bucket)
    )
    answer = ask({"model": "broken"}, {"model": MODEL}, {"model": "broken"})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}, {"itemIdentifier": "message-2"}]}
    assert "100 rows a day" in read(world, "reports/index.html")
    assert ask(model="broken") == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def test_two_batches_at_once_take_nothing_from_the_page_of_all(world, monkeypatch):
    judged(world)
    ask(model=MODEL)
    load, others = write_pages.load_summaries, []

    def load_summaries(*given):
        """The summaries as they were before another batch wrote both its model's and the page of all."""
        found = load(*given)
        if not others:
            others.append(1)
            judged(world, END + timedelta(days=7), KEY.replace("2016-01-04", "2016-01-11"))
            ask(model=MODEL, time=(NOW + timedelta(days=7)).isoformat())
        return found

    monkeypatch.setattr(write_pages, "load_summaries", load_summaries)
    write_pages.handler(TICK, CONTEXT)
    assert "2016-01-11 00:00" in read(world, "reports/index.html")


def test_an_old_message_does_not_turn_back_the_page_of_all(world):
    judged(world)
    ask(model=MODEL)
    ask(model="gone", time=(NOW - timedelta(days=3)).isoformat())
    assert "Written 2016-01-04 02:00" in read(world, "reports/index.html")


def test_the_history_begins_where_it_is_asked_to_and_is_in_time(world):
    for weeks in (0, 1, 2):
        judged(world, END - timedelta(weeks=weeks), KEY)
    ends = history.load_history(world.s3, BUCKET, MODEL, "windows", since=END - timedelta(days=8)).column("window_end")
    assert ends.to_pylist() == [datetime(2015, 12, 28), datetime(2016, 1, 4)]
    assert history.load_history(world.s3, BUCKET, MODEL, "decisions", since=END).to_pylist() == []


@pytest.mark.parametrize("view", VIEWS)
def test_the_widget_draws_each_view_in_the_theme_of_the_dashboard_and_without_script(world, view):
    judged(world)
    happened(world, "canary_promoted", package_version="1")
    ask(model=MODEL)
    drawn = draw(view=view, model=MODEL)
    assert 'class="kedge kedge-dark"' in drawn
    # CloudWatch strips these, and the picture would lack them.
    assert not [word for word in ("<script", "<iframe", "<use", "href=") if word in drawn]
    assert len(drawn) < 200_000
    assert MODEL in drawn


def test_the_widget_marks_releases_on_the_trend(world):
    judged(world)
    judged(world, END - timedelta(days=7))
    happened(world, "canary_promoted", END - timedelta(days=3), package_version="7")
    assert ">v7<" in draw(model=MODEL)


def test_the_widget_describes_its_parameters(world):
    assert "view: quality" in draw_widget.handler({"describe": True}, CONTEXT)["markdown"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"view": "secrets", "model": MODEL},
        {"view": ["quality"], "model": MODEL},
        {"model": {"a": 1}},
        {"model": "../../state"},
        {"model": "<script>alert(1)</script>"},
        {"view": "quality", "model": MODEL, "widgetContext": {"timeRange": {"start": "x", "end": -5}, "width": "wide"}},
        {"view": "portfolio", "widgetContext": {"timeRange": [1], "theme": "<b>"}},
    ],
)
def test_a_hostile_parameter_is_answered_with_a_sentence_and_never_with_itself(world, parameters):
    drawn = draw(**parameters)
    assert "<script" not in drawn
    assert "<p>" in drawn or "<td" in drawn


def test_a_window_is_judged_whether_or_not_its_page_can_be_asked_for(world):
    from lambdas.adapters import queues

    assert not queues.try_to_send(
        world.sqs, "https://sqs.eu-west-1.amazonaws.com/123456789012/absent", {"model": MODEL}
    )
    assert queues.try_to_send(world.sqs, world.sqs.get_queue_url(QueueName="page")["QueueUrl"], {"model": MODEL})
