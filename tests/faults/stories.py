"""What is told again and again with one thing going wrong each time: trainings and releases, from beginning to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np

from tests.faults.standing import apart, counted, serving, told_twice
from tests.faults.world import HOUR, MINUTE, SHIFTED, YAML, World, deploy, make_rows

LONGEST = timedelta(hours=44)  # a fault may keep a machine so long
ROUNDS = 2 * HOUR + 5 * MINUTE  # of the reconciler, which comes every hour


@dataclass
class Findings:
    """What fell short, by kind; `news` are the subjects that people read."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    visited: frozenset[str] = frozenset()
    counted: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether anything fell short."""
        return bool(self.lost or self.doubled or self.silent or self.apart)


@dataclass(frozen=True)
class Story:
    """What happens, in which machine, from which stage of the world on, and how its end is judged."""

    name: str
    stage: str
    machine: str
    tell: Callable[[World], None]
    judge: Callable[[World, Before, Findings], None]
    thorough: bool = False  # every fault of every state; else one of each kind
    about: str = ""  # the states that are walked, by a part of their names; all where nothing is said
    counts: bool = False  # whether all that is counted must be what it is undisturbed


@dataclass(frozen=True)
class Before:
    """The world before a story."""

    serving: str | None
    packages: frozenset[str]
    mails: int
    executions: frozenset[str]


def play(story: Story, world: World, *, lasts: timedelta = timedelta()) -> Findings:
    """Tell a story, let what `lasts` end and the reconciler come round, and look at everything."""
    began = world.now
    before = Before(
        serving(world),
        frozenset(world.packages()),
        len(world.mails()),
        frozenset(e["executionArn"] for e in world.executions(story.machine)),
    )
    story.tell(world)
    wait_for_end(world, story, before)
    world.account.clock.advance_to(max(world.now, began + lasts))
    wait_for_end(world, story, before)
    world.wait(ROUNDS)
    findings = Findings(apart=apart(world))
    mails = world.mails()[before.mails :]
    findings.news = [mail.subject.removeprefix(f"[Kedge] {world.model}: ") for mail in mails]
    findings.doubled += [f"told twice: {subject}" for subject in told_twice(mails)]
    story.judge(world, before, findings)
    findings.counted = counted(world) if story.counts else {}
    findings.visited = frozenset(visited(world, story, before))
    return findings


def wait_for_end(world: World, story: Story, before: Before) -> None:
    """Let time pass, with traffic, until nothing of the story runs any more."""
    until = world.now + LONGEST
    releasing, minutes = story.machine == "kedge-release", 0
    while world.now < until:
        step = MINUTE if releasing and minutes < 45 else 10 * MINUTE
        world.traffic(step, every=step)
        minutes += step // MINUTE
        mine = [e for e in world.executions(story.machine) if e["executionArn"] not in before.executions]
        if minutes >= 3 and all(execution["status"] != "RUNNING" for execution in mine):
            return


def visited(world: World, story: Story, before: Before) -> set[str]:
    """The states that the story's executions entered."""
    client = world.account.client("stepfunctions")
    return {
        event["stateEnteredEventDetails"]["name"]
        for execution in world.executions(story.machine)
        if execution["executionArn"] not in before.executions
        for page in client.get_paginator("get_execution_history").paginate(executionArn=execution["executionArn"])
        for event in page["events"]
        if "stateEnteredEventDetails" in event
    }


# Releases -------------------------------------------------------------------------------------------------------


def approve(version: str) -> Callable[[World], None]:
    """A person approves a version."""
    return lambda world: world.approve(_arn(world, version))


def start_by_hand(world: World) -> None:
    """A person starts the release machine from the console, for what serves already."""
    client = world.account.client("stepfunctions")
    (arn,) = (
        m["stateMachineArn"] for m in client.list_state_machines()["stateMachines"] if m["name"] == "kedge-release"
    )
    package = world.item("champion")["package_arn"]  # type: ignore[index]  # it serves
    given = {"model": world.model, "run": "by-hand", "time": f"{world.now:%Y-%m-%dT%H:%M:%SZ}", "package_arn": package}
    client.start_execution(stateMachineArn=arn, name="by-hand", input=json.dumps(given))


def approve_short(version: str) -> Callable[[World], None]:
    """A person approves a version, and SageMaker finds no instances for it, after it has accepted the call."""

    def tell(world: World) -> None:
        world.account.capacity.run_short()
        world.approve(_arn(world, version))

    return tell


def _arn(world: World, version: str) -> str:
    (arn,) = (arn for arn in world.packages() if arn.endswith(f"/{version}"))
    return arn


# How a mail says that an execution did not come to its end.
FAILED = ("failed", "was stopped", "took too long")


def released(version: str, *, good: bool = True) -> Callable[[World, Before, Findings], None]:
    """It serves and people know, or what served before serves and people know why."""

    def judge(world: World, before: Before, findings: Findings) -> None:
        now = serving(world)
        if now == version and not good:
            findings.lost.append(f"version {version} misbehaves, and serves")
        if now not in (version, before.serving):
            findings.lost.append(f"the endpoint serves {now}")
        ends = [
            news
            for news in findings.news
            if ("started" not in news and f"version {version}" in news) or any(word in news for word in FAILED)
        ]
        if not ends:
            findings.silent.append(f"version {version} was approved, {now} serves, and nobody was told how it ended")
        kinds = ("canary_promoted", "canary_rolled_back", "release_unproven")
        written = [entry for entry in world.timeline(*kinds) if str(entry["detail"]["package_version"]) == version]
        if len(written) > 1:
            findings.doubled.append(f"{[entry['kind'] for entry in written]} in the timeline")

    return judge


def tried(version: str) -> Callable[[World, Before, Findings], None]:
    """As `released`; that it is tried, or held, is no end. Where no update ever takes it away, people know that."""

    def judge(world: World, before: Before, findings: Findings) -> None:
        now = serving(world)
        if now not in (version, before.serving):
            findings.lost.append(f"the endpoint serves {now}")
        if any("return of package version" in news and "failed at EndExperiment" in news for news in findings.news):
            findings.apart.clear()
        words = ("withdrawn", "serves now", "rolled back", "could not be proved", *FAILED)
        if not any(word in news for news in findings.news for word in words):
            findings.silent.append(f"version {version} was approved, {now} serves, and people read {findings.news}")
        ends = [e for e in world.timeline("experiment_withdrawn", "canary_promoted") if _is_about(e, version)]
        if len(ends) > 1:
            findings.doubled.append(f"{[entry['kind'] for entry in ends]} in the timeline")

    return judge


def _is_about(entry: dict[str, Any], version: str) -> bool:
    return str(entry["detail"]["package_version"]) == version


# Trainings ------------------------------------------------------------------------------------------------------


def ask(trigger: str) -> Callable[[World], None]:
    """A person asks for a training."""
    return lambda world: world.decide(trigger)


def ask_with_noise(world: World) -> None:
    """The rows that were handed over have labels that nothing explains."""
    rows = make_rows(1_000, world.now - timedelta(days=60), world.now)
    rows["label"] = np.random.default_rng(1).permutation(rows["label"].to_numpy())
    world.hand_over(rows)
    world.decide("initial")


def ask_with_few(world: World) -> None:
    """The rows that were handed over are too few to learn from."""
    world.hand_over(make_rows(100, world.now - timedelta(days=60), world.now))
    world.decide("initial")


def trained(world: World, before: Before, findings: Findings) -> None:
    """One package waits for its approval and people were asked, or they know why there is none."""
    new = sorted(set(world.packages()) - before.packages)
    if len(new) > 1:
        findings.doubled.append(f"{len(new)} packages were registered")
    if serving(world) != before.serving:
        findings.lost.append(f"the endpoint serves {serving(world)}")
    asked = [news for news in findings.news if "please decide" in news]
    ends = [news for news in findings.news if "retraining started" not in news]
    if (new and not asked) or not ends:
        findings.silent.append(f"{len(new)} packages were registered, and people read {findings.news}")


def trained_and_approved(world: World, before: Before, findings: Findings) -> None:
    """The package that passed the gate was approved without a person and serves; or what served before serves, and people know why."""
    new = sorted(set(world.packages()) - before.packages)
    if len(new) > 1:
        findings.doubled.append(f"{len(new)} packages were registered")
    ends = [news for news in findings.news if "retraining started" not in news]
    if not ends:
        findings.silent.append(f"{len(new)} packages were registered, and people read {findings.news}")
    if serving(world) not in (before.serving, *(arn.rpartition("/")[2] for arn in new)):
        findings.lost.append(f"the endpoint serves {serving(world)}")
    said = any(word in news for news in ends for word in ("serves now", "please decide", *FAILED))
    if new and serving(world) == before.serving and not said:
        findings.lost.append(f"{new[0]} passed the gate, {serving(world)} serves, and people read {findings.news}")


def refused_on_trial(world: World, before: Before, findings: Findings) -> None:
    """The challenger is refused for its latency, or the trial was not measured; people know which."""
    trained(world, before, findings)
    new = sorted(set(world.packages()) - before.packages)
    rows = [row for entry in world.timeline("gate_passed") for row in entry["detail"]["rows"]]
    if new and not any(row["gate"] == "staging" for row in rows):
        findings.lost.append(f"{new[0]} was registered although its trial was too slow")


def a_monday(world: World) -> None:
    """A day of rows and labels, in which the week before is judged."""
    world.serve(1, turned=True)
    world.wait(6 * HOUR)


def a_busy_monday(world: World) -> None:
    """The same with so many rows that Athena joins them with their labels."""
    world.serve(1, turned=True, each=4_000)
    world.wait(6 * HOUR)


def judged(world: World, before: Before, findings: Findings) -> None:
    """The champion serves on, and the week's verdict was told."""
    if serving(world) != before.serving:
        findings.lost.append(f"the endpoint serves {serving(world)}")
    if not any("quality is lost" in news for news in findings.news):
        findings.silent.append(f"quality is lost, and people read {findings.news}")


# ----------------------------------------------------------------------------------------------------------------

STORIES: tuple[Story, ...] = (
    Story("a first training", "handed over", "kedge-retrain", ask("initial"), trained),
    Story("a first training of noise", "handed over", "kedge-retrain", ask_with_noise, trained),
    Story("a first training of few rows", "handed over", "kedge-retrain", ask_with_few, trained),
    Story("a first release", "first package", "kedge-release", approve("1"), released("1")),
    Story("a refused training", "nothing new", "kedge-retrain", ask("manual"), trained),
    Story("a bad release", "the world turned", "kedge-release", approve("3"), released("3", good=False), thorough=True),
    Story("a release", "the world turned", "kedge-release", approve("2"), released("2"), thorough=True),
    Story("a first release that is short", "first package", "kedge-release", approve_short("1"), released("1")),
    Story(
        "a release that is short", "the world turned", "kedge-release", approve_short("2"), released("2"), thorough=True
    ),
    Story("a release by hand", "the world turned", "kedge-release", start_by_hand, lambda *_: None),
    Story("a training", "the world turned", "kedge-retrain", ask("manual"), trained, thorough=True),
    Story("a training that needs nobody", "approved by Kedge", "kedge-retrain", ask("manual"), trained_and_approved),
    Story("a training on trial", "on trial", "kedge-retrain", ask("manual"), trained, thorough=True, about="Staging"),
    Story(
        "a training that fails its trial",
        "on trial in vain",
        "kedge-retrain",
        ask("manual"),
        refused_on_trial,
        about="Staging",
    ),
    Story("a release tried first", "tried first", "kedge-release", approve("2"), tried("2"), thorough=True),
    Story(
        "a release tried on a share", "tried on a share", "kedge-release", approve("2"), tried("2"), about="Experiment"
    ),
    Story("a Monday", "the world turned", "kedge-retrain", a_monday, judged, counts=True),
    Story("a busy Monday", "the world turned", "kedge-retrain", a_busy_monday, judged, counts=True),
)


def to_handed_over(world: World) -> None:
    """A data scientist hands rows over."""
    world.hand_over(world.frame)


def to_first_package(world: World) -> None:
    """The first model is trained."""
    world.decide("initial")
    world.wait(HOUR)


def to_first_champion(world: World) -> None:
    """It is approved, and serves."""
    world.approve(_arn(world, "1"))
    world.wait(HOUR)


def to_nothing_new(world: World) -> None:
    """Two days of rows like those that it learnt from, with their labels."""
    world.serve(2)
    world.wait(3 * HOUR)


def to_the_world_turned(world: World) -> None:
    """Five days in which everything is the other way round; a good and a bad package wait for a decision."""
    world.serve(5, turned=True)
    first = _arn(world, "1")
    world.register(first, "")
    world.register(first, SHIFTED)
    world.wait(3 * HOUR)


def to_approved_by_kedge(world: World) -> None:
    """The YAML lets Kedge approve what has passed the gate."""
    deploy(world.account, f"{YAML.read_text()}approval: automatic\n", world.account.directory / "by Kedge")


def to_on_trial(world: World) -> None:
    """The YAML wants a challenger to be tried on an endpoint."""
    text = f"{YAML.read_text()}staging: {{minutes: 1, minimum_requests: 10}}\n"
    deploy(world.account, text, world.account.directory / "on trial")


def to_on_trial_in_vain(world: World) -> None:
    """And no container is as fast as it says."""
    text = f"{YAML.read_text()}staging: {{minutes: 1, minimum_requests: 10, p50_milliseconds: 0.001}}\n"
    deploy(world.account, text, world.account.directory / "in vain")


def to_tried_first(world: World) -> None:
    """The YAML lets each version answer beside the champion for a day, and people approve again."""
    shadow = "release: {strategy: shadow, shadow: {days: 1, minimum_rows: 100}}\n"
    deploy(world.account, YAML.read_text() + shadow, world.account.directory / "tried first")


def to_tried_on_a_share(world: World) -> None:
    """And the YAML lets each version answer a half of the requests for a day or two."""
    ab = "release: {strategy: ab, ab: {share: 0.5, days: {minimum: 1, maximum: 1}, minimum_rows: 100}}\n"
    deploy(world.account, YAML.read_text() + ab, world.account.directory / "tried on a share")


STAGES: dict[str, Callable[[World], None]] = {
    "handed over": to_handed_over,
    "first package": to_first_package,
    "first champion": to_first_champion,
    "nothing new": to_nothing_new,
    "the world turned": to_the_world_turned,
    "approved by Kedge": to_approved_by_kedge,
    "on trial": to_on_trial,
    "on trial in vain": to_on_trial_in_vain,
    "tried first": to_tried_first,
    "tried on a share": to_tried_on_a_share,
}
