"""Requests go out when they are due, whatever the answers take."""

import threading

from kedge.staging.requests import ReplayRequest
from lambdas.adapters.training.staging_endpoints import StagingAnswer
from lambdas.steps.staging import sending


def requests(count):
    return [ReplayRequest(str(number).encode(), "text/csv") for number in range(count)]


class Pace:
    """A clock that a pause alone moves on."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(sending.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(sending.time, "sleep", self.sleep)

    def sleep(self, seconds):
        self.now += seconds


def test_each_request_is_sent_when_it_is_due(monkeypatch):
    pace, sent = Pace(monkeypatch), []

    def send(request):
        sent.append((request.body, pace.now))
        return StagingAnswer()

    class AtOnce:
        """A pool in which a request is answered as it is handed over."""

        def __init__(self, _senders): ...

        def __enter__(self):
            return self

        def __exit__(self, *_error): ...

        def submit(self, work, *given):
            done = work(*given)
            return type("Future", (), {"result": lambda _self: done})()

    monkeypatch.setattr(sending, "ThreadPoolExecutor", AtOnce)
    found = sending.send_paced(send, requests(4), per_second=2.0, senders=1)
    assert sent == [(b"0", 0.0), (b"1", 0.5), (b"2", 1.0), (b"3", 1.5)]
    assert [one.milliseconds for one in found] == [0.0] * 4


def test_a_slow_answer_holds_no_other_request_up_and_failures_are_told(monkeypatch):
    monkeypatch.setattr(sending.time, "sleep", lambda _seconds: None)
    others, released = threading.Semaphore(0), threading.Event()

    def send(request):
        if request.body == b"0":
            # Answered once the three others have been.
            for _ in range(3):
                assert others.acquire(timeout=60)
            released.set()
            return StagingAnswer(failure="HTTP 500")
        others.release()
        return StagingAnswer(b"1")

    found = sending.send_paced(send, requests(4), per_second=1000.0, senders=2)
    assert released.is_set()
    assert [one.failure for one in found] == ["HTTP 500", "", "", ""]


def test_all_answers_come_in_the_order_of_their_requests():
    found = sending.send_all(lambda request: StagingAnswer(request.body), requests(50), senders=4)
    assert [answer.body for answer in found] == [request.body for request in requests(50)]
