"""The people and programs around Kedge: the hotels' booking system, their label export, and the approver."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from demo.bookings import Booking
from lambdas.adapters.bucket import layout
from offline.account import Account

# The approver comes when the front desk is open, so that a canary meets the next full hour's arrivals.
OFFICE = timedelta(hours=9, minutes=30)


class Replay:
    """Plays bookings, labels and approvals against the account, in the order of its clock."""

    def __init__(self, account: Account, *, endpoint: str, model: str, bucket: str) -> None:
        self.account, self.endpoint, self.model, self.bucket = account, endpoint, model, bucket
        self.runtime = account.client("sagemaker-runtime")
        self.s3 = account.client("s3")
        self.registry = account.client("sagemaker")
        self.answers: dict[str, str] = {}
        self.row_ids: dict[str, str] = {}
        self.failures = 0
        self.invoke_seconds = 0.0

    def run(self, bookings: list[Booking], until: datetime, on_day: Callable[[datetime], None]) -> None:
        """Send each booking at its time and each label when it is due, with one office visit a day."""
        labels = deque(sorted(bookings, key=lambda booking: booking.label_time))
        waiting = deque(bookings)
        day = bookings[0].time.replace(hour=0, minute=0, second=0, microsecond=0)
        while day < until:
            office = day + OFFICE
            self._send_until(waiting, office)
            self.account.clock.advance_to(office)
            self._publish_labels(labels, office)
            self._approve_pending()
            day += timedelta(days=1)
            self._send_until(waiting, day)
            self.account.clock.advance_to(day)
            on_day(day)

    def _send_until(self, waiting: deque[Booking], until: datetime) -> None:
        while waiting and waiting[0].time < until:
            arrivals = [waiting.popleft()]
            while waiting and waiting[0].time == arrivals[0].time:
                arrivals.append(waiting.popleft())
            self.account.clock.advance_to(arrivals[0].time)
            self._ask(arrivals)

    def _ask(self, arrivals: list[Booking]) -> None:
        """One request for the arrivals of one moment, named after the first; Kedge numbers the rows of several."""
        name, several = arrivals[0].id, len(arrivals) > 1
        for row, booking in enumerate(arrivals):
            self.row_ids[booking.id] = f"{name}/{row}" if several else name
        began = perf_counter()
        try:
            answer = self.runtime.invoke_endpoint(
                EndpointName=self.endpoint,
                ContentType="text/csv",
                Accept="text/csv",
                InferenceId=name,
                Body="\n".join(booking.payload for booking in arrivals),
            )
            lines = answer["Body"].read().decode().splitlines()
            self.answers |= {booking.id: line for booking, line in zip(arrivals, lines, strict=True)}
        except self.runtime.exceptions.ModelError:
            self.failures += len(arrivals)
        self.invoke_seconds += perf_counter() - began

    def _publish_labels(self, labels: deque[Booking], now: datetime) -> None:
        lines = []
        while labels and labels[0].label_time <= now:
            booking = labels.popleft()
            lines.append(
                json.dumps(
                    {
                        "groundTruthData": {"data": str(booking.label), "encoding": "CSV"},
                        "eventMetadata": {
                            "eventId": self.row_ids[booking.id],
                            "inferenceTime": f"{booking.time:%Y-%m-%dT%H:%M:%SZ}",
                        },
                        "eventVersion": "0",
                    }
                )
            )
        if lines:
            key = f"{layout.collected_labels_prefix(self.model, now)}/outcomes.jsonl"
            self.s3.put_object(Bucket=self.bucket, Key=key, Body="\n".join(lines).encode())

    def _approve_pending(self) -> None:
        """What a person does in the registry console: look at what is pending, and approve it."""
        pending: dict[str, Any] = self.registry.list_model_packages(
            ModelPackageGroupName=self.model, ModelApprovalStatus="PendingManualApproval"
        )
        for package in pending["ModelPackageSummaryList"]:
            self.registry.update_model_package(
                ModelPackageArn=package["ModelPackageArn"],
                ModelApprovalStatus="Approved",
                ApprovalDescription="the gate's report was read; approved in the demo by the person it plays",
            )

    def latest_news(self) -> str:
        """The latest mail's subject line, as the person's inbox shows it."""
        mails = sorted(self.account.mail_directory.glob("*.eml"))
        return mails[-1].stem[6:80] if mails else ""
