"""The hotels' bookings: what is sent to the endpoint when, and when each outcome is known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

DATA = Path(__file__).parent / "data" / "hotel_bookings.parquet"
CHAMPION_FROM = datetime(2015, 7, 1, tzinfo=UTC)
REPLAY_FROM = datetime(2015, 10, 1, tzinfo=UTC)
REPLAY_UNTIL = datetime(2017, 9, 1, tzinfo=UTC)
OPENS, OPEN_HOURS, SLOTS, SLOT_SECONDS = 10, 6, 9, 20


@dataclass(frozen=True)
class Booking:
    """One booking as the hotel's system knows it."""

    id: str
    time: datetime
    payload: str
    label: int | str
    label_time: datetime


def load_frame() -> pd.DataFrame:
    """All bookings, ordered by the time at which they are scored.

    The source has no time of day: a hash of the id spreads a day's bookings over the hours of the front desk.
    """
    frame = pd.read_parquet(DATA)
    frame["time"] = frame["timestamp"].dt.tz_localize("UTC") + frame["id"].map(_time_of_day)
    known = frame[["label_ts", "timestamp"]].max(axis=1).dt.tz_localize("UTC")
    # The front desk exports outcomes once a day, in the morning after.
    frame["label_time"] = known + pd.Timedelta(days=1, hours=6)
    return frame.sort_values(["time", "id"], ignore_index=True)


def to_bookings(frame: pd.DataFrame, features: tuple[str, ...]) -> list[Booking]:
    """Return the rows of a frame with the payload that the endpoint expects: CSV, no header, no label."""
    lines = frame[list(features)].to_csv(header=False, index=False, lineterminator="\n").splitlines()
    columns = zip(frame["id"], frame["time"], lines, frame["label"], frame["label_time"], strict=True)
    return [
        Booking(str(id_), time.to_pydatetime(), line, int(label), label_time.to_pydatetime())
        for id_, time, line, label, label_time in columns
    ]


def training_rows(
    frame: pd.DataFrame,
    features: tuple[str, ...],
    *,
    since: datetime = CHAMPION_FROM,
    until: datetime = REPLAY_FROM,
) -> pd.DataFrame:
    """Return the rows that the data scientist hands over for the first champion: arrivals of July to September 2015."""
    rows = frame[(frame["time"] >= since) & (frame["time"] < until)]
    rows = rows[["id", "time", "label_time", *features, "label"]].rename(columns={"time": "timestamp"})
    return rows.astype({name: "string" for name in features if str(rows[name].dtype) == "category"})


def _time_of_day(booking: str) -> pd.Timedelta:
    """The front desk sends its hour's arrivals from the full hour on, in a request every twenty seconds, from 10 to 15 o'clock."""
    digest = int.from_bytes(hashlib.sha256(booking.encode()).digest()[:4], "big")
    hour, slot = OPENS + digest % OPEN_HOURS, digest // OPEN_HOURS % SLOTS
    return pd.Timedelta(timedelta(hours=hour, seconds=SLOT_SECONDS * slot))
