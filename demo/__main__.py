"""`make demo`: deploy, train the first champion, replay two years, and write what happened into build/demo/."""

from __future__ import annotations

import argparse
import gc
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app import build_app
from demo import results
from demo.bookings import REPLAY_FROM, REPLAY_UNTIL, Booking, load_frame, to_bookings
from demo.first_champion import release_first_champion
from demo.page import write_page
from demo.replay import Replay
from demo.timing import Timing
from kedge.config.reading import parse_model_config
from offline.account import Account

MODEL_FILE = Path("models/hotel-cancellations.yaml")
OUT = Path("build/demo")
# The last label that a retraining could use, and the last late capture file, come within days.
AFTERMATH = timedelta(days=3)


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--until", type=day, default=REPLAY_UNTIL, help="the replay's end, a day such as 2016-10-01")
    until = parser.parse_args().until
    # The account keeps a record of every call it was made: collecting among a million of them took an eighth of the time.
    gc.set_threshold(200_000, 50, 1000)
    console = Console()
    if OUT.exists():
        shutil.rmtree(OUT)
    OUT.mkdir(parents=True)
    config = parse_model_config(MODEL_FILE.read_text(encoding="utf-8"), source=str(MODEL_FILE))
    console.print(f"[bold]Kedge[/bold]: hotel bookings until {until:%Y-%m-%d}, replayed offline")
    began = perf_counter()
    assembly = OUT / "cdk.out"
    build_app(assembly, MODEL_FILE.parent).synth()
    frame = load_frame()
    frame = frame[frame["time"] < until]
    bookings = to_bookings(frame[frame["time"] >= REPLAY_FROM], config.feature_names)
    console.print(f"templates synthesised in {perf_counter() - began:.0f} s; {len(bookings):,} bookings to replay")
    with Account(start=REPLAY_FROM - timedelta(hours=12), directory=OUT / "account") as account:
        bucket = deploy(account, assembly, console)
        timing = Timing(account)
        package = release_first_champion(account, config, frame, bucket)
        console.print(f"first champion serves: {package.rpartition('/')[2]}, at {account.clock.now:%Y-%m-%d %H:%M} UTC")
        account.clock.advance_to(REPLAY_FROM)
        replay = Replay(account, endpoint=config.endpoint.name, model=config.model, bucket=bucket)
        loop = timing.start_loop()
        run_shown(replay, bookings, until, console)
        account.clock.advance_to(until + AFTERMATH)
        timing.note("invocations by the client", replay.invoke_seconds)
        outcome = results.gather(account, config, frame, replay, bucket, OUT)
        results.write(outcome, OUT)
        write_page(outcome, OUT)
        seconds = loop.stop()
        results.write_summary(outcome, OUT, loop_seconds=seconds, timing=timing.table())
    results.show(outcome, console, seconds, timing.table())
    console.print(f"\nLook at [bold]{OUT / 'index.html'}[/bold]; the mails are in {OUT / 'account' / 'mail'}")
    return 0


def day(text: str) -> datetime:
    """A day of the replay, as it is typed."""
    until = datetime.fromisoformat(text).replace(tzinfo=UTC)
    if not REPLAY_FROM < until <= REPLAY_UNTIL:
        raise argparse.ArgumentTypeError(f"{text} is not between {REPLAY_FROM:%Y-%m-%d} and {REPLAY_UNTIL:%Y-%m-%d}")
    return until


def deploy(account: Account, assembly: Path, console: Console) -> str:
    """Deploy the templates; the data bucket's name."""
    began = perf_counter()
    account.deploy(assembly)
    bucket = data_bucket(account)
    console.print(f"deployed in {perf_counter() - began:.0f} s")
    return bucket


def run_shown(replay: Replay, bookings: list[Booking], until: datetime, console: Console) -> None:
    """Replay every booking, with one line on the console that says how far it is."""
    with replay_progress(console) as progress:
        task = progress.add_task("", total=(until - REPLAY_FROM).days, day="", news="")

        def on_day(day: datetime) -> None:
            progress.update(task, advance=1, day=f"{day:%Y-%m-%d}", news=replay.latest_news())

        replay.run(bookings, until, on_day)


def data_bucket(account: Account) -> str:
    """The bucket that the storage stack made."""
    names = [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]
    return next(str(name) for name in names if "-data" in name)


def replay_progress(console: Console) -> Progress:
    """One line: how far, which day, and the latest thing that happened."""
    return Progress(
        BarColumn(30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[day]}"),
        TextColumn("[cyan]{task.fields[news]}"),
        console=console,
        refresh_per_second=2,
    )


if __name__ == "__main__":
    sys.exit(main())
