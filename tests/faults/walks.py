"""The walks: which cases there are, a sample of them by seed or all, and the table of what came of them."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from tests.faults import call_faults, state_faults
from tests.faults.call_faults import CallFaults, Skew, Storm, Watched
from tests.faults.forks import ForkFailedError, in_a_fork
from tests.faults.said import is_said
from tests.faults.state_faults import ALWAYS, STOPPED, TIMEOUT, UNNAMED, StateFault, StateFaults
from tests.faults.stories import STAGES, STORIES, Findings, Story, play
from tests.faults.world import World, open_world

Fault = StateFault | call_faults.Fault
SKEWS = (timedelta(hours=-2), timedelta(minutes=-10), timedelta(minutes=10), timedelta(hours=2))
# Each service's own word for "too much"; what is not named here says ThrottlingException.
TOO_MUCH = {"s3": "SlowDown", "dynamodb": "ProvisionedThroughputExceededException", "sns": "InternalError"}
# Who looks at a dashboard calls it; it writes nothing, so nothing can be lost.
ONLY_LOOKS = {"draw_widget"}
KINDS = ("lost", "doubled", "silent", "apart")


@dataclass(frozen=True)
class Case:
    """A story in which something goes wrong; of two faults the first only leads to where the second can happen."""

    walk: str
    story: Story
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return f"{self.story.name}: {' and then '.join(str(fault) for fault in self.faults)}"


@dataclass
class Played:
    """What came of a case."""

    findings: Findings
    fired: bool
    answers: dict[tuple[str, str], set[str]]
    invocations: list[Any]
    services: set[str]
    seconds: float


@dataclass
class Row:
    """One line of the table."""

    tried: int = 0
    unreached: int = 0
    survived: int = 0
    said: list[str] = field(default_factory=list)
    fell_short: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class Table:
    """What came of all walks; `tried, survived, lost, doubled, silent, apart, said`."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = defaultdict(Row)
        self.uncalled: list[str] = []  # functions that no story calls
        self.unvisited: list[str] = []  # states that no case came to

    def add(self, case: Case, played: Played) -> None:
        """Count a case; one whose fault never came to pass was not tried."""
        row = self.rows[case.walk]
        if not played.fired:
            row.unreached += 1
            return
        row.tried += 1
        row.survived += not played.findings
        for kind in KINDS:
            for found in (f"{case}: {what}" for what in getattr(played.findings, kind)):
                (row.said if is_said(kind, found) else row.fell_short[kind]).append(found)

    def text(self) -> str:
        """The table, and every finding below it."""
        lines = [f"{'walk':34} {'tried':>6} {'survived':>9} " + " ".join(f"{kind:>8}" for kind in (*KINDS, "said"))]
        for walk, row in self.rows.items():
            counts = [len(found) for found in (*(row.fell_short[kind] for kind in KINDS), row.said)]
            lines.append(f"{walk:34} {row.tried:6} {row.survived:9} " + " ".join(f"{count:8}" for count in counts))
        lines += [f"no story calls {function}" for function in self.uncalled]
        lines += [f"no case came to {state}" for state in self.unvisited]
        return "\n".join([*lines, "", *(f"{kind}: {what}" for kind, what in self.findings())])

    def findings(self) -> list[tuple[str, str]]:
        """Everything that fell short and is not said to, with its kind."""
        return [(k, what) for row in self.rows.values() for k, found in row.fell_short.items() for what in found]

    def write(self, path: Path) -> None:
        """Keep it for whoever reads it later."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = {
            walk: {
                "tried": row.tried,
                "unreached": row.unreached,
                "survived": row.survived,
                "said": row.said,
                **row.fell_short,
            }
            for walk, row in self.rows.items()
        }
        path.write_text(json.dumps(rows, indent=1))


class Walker:
    """Goes through the stages of one world, and plays the cases of each in forks."""

    def __init__(
        self,
        *,
        per_story: int | None,
        seed: int = 0,
        only: tuple[str, ...] = (),
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.per_story, self.only, self.tell = per_story, only, tell
        self.draw = random.Random(seed)  # noqa: S311  # a sample, no secret
        self.table = Table()
        self.visited: dict[str, set[str]] = defaultdict(set)
        self._shapes: set[tuple[str, ...]] = set()
        self._weighed: set[str] = set()
        self._drawn: Counter[str] = Counter()
        self._called: set[str] = set()

    def walk(self) -> Table:
        """Build the world and play everything."""
        with tempfile.TemporaryDirectory(prefix="kedge-faults-") as directory, open_world(Path(directory)) as world:
            self.states, self.calls = StateFaults(world.account), CallFaults(world.account)
            self.definitions = {
                machine: state_faults.states_of(world.account, machine)
                for machine in {story.machine for story in STORIES}
            }
            named = [story for story in STORIES if story.name in self.only] or STORIES
            for stage, go in STAGES.items():
                go(world)
                for story in named:
                    if story.stage == stage:
                        self._walk_story(world, story)
            self.table.uncalled = sorted(handlers_of(world) - self._called - ONLY_LOOKS)
        self.table.unvisited = [
            f"{machine}: {state}"
            for machine, states in self.definitions.items()
            for state in states
            if state not in self.visited[machine]
        ]
        return self.table

    def _walk_story(self, world: World, story: Story) -> None:
        undisturbed = self._play(world, Case("undisturbed", story, ()))
        if undisturbed.findings:
            raise AssertionError(f"{story.name} fails undisturbed: {undisturbed.findings}")
        self.visited[story.machine] |= undisturbed.findings.visited
        self._called |= {run.handler for run in undisturbed.invocations}
        self._truth = undisturbed.findings.counted
        walks = {
            "states": list(self._state_cases(story, undisturbed)),
            "kills": [Case("kills", story, (f,)) for f in call_faults.faults_of(undisturbed.invocations, self._shapes)],
            "throttling": [Case("throttling", story, (storm,)) for storm in storms(undisturbed.services)],
            "memory": [Case("memory", story, (watched,)) for watched in self._unweighed(undisturbed)],
            "clock": [Case("clock", story, (Skew(by),)) for by in SKEWS],
        }
        wanted = [
            [case for case in cases if all(words in f"{name}: {case}" for words in self.only)]
            for name, cases in walks.items()
        ]
        for case in self._chosen([cases for cases in wanted if cases]):
            self._try(world, case)

    def _chosen(self, walks: list[list[Case]]) -> Iterator[Case]:
        """All cases, or so many of a story, each drawn from another walk as far as there are so many.

        Each story begins with the walk that was drawn least: so a small sample has some of each.
        """
        if self.per_story is None:
            yield from (case for cases in walks for case in cases)
            return
        for cases in walks:
            self.draw.shuffle(cases)
        self.draw.shuffle(walks)
        walks.sort(key=lambda cases: self._drawn[cases[0].walk])
        self._drawn.update(cases[0].walk for cases in walks[: self.per_story])
        rounds = (case for cases in zip_longest(*walks) for case in cases if case is not None)
        yield from islice(rounds, self.per_story)

    def _try(self, world: World, case: Case) -> None:
        try:
            played = self._play(world, case)
        except ForkFailedError as error:
            played = Played(
                Findings(apart=[f"the account broke: {str(error).strip().splitlines()[-1]}"]), True, {}, [], set(), 0
            )
        self.visited[case.story.machine] |= played.findings.visited
        _compare(self._truth, played.findings)
        self.table.add(case, played)
        found = [f"{kind}: {what}" for kind in KINDS for what in getattr(played.findings, kind)]
        told = [*found, f"people read {played.findings.news}"] if found else []
        self.tell("\n    ".join([f"{played.seconds:5.1f} s {'' if played.fired else '(unreached) '}{case}", *told]))

    def _play(self, world: World, case: Case) -> Played:
        def run() -> Played:
            began = time.process_time()
            self.states.planned = [f for f in case.faults if isinstance(f, StateFault)]
            self.calls.begin(*(f for f in case.faults if not isinstance(f, StateFault)))
            lasts = [fault.lasts for fault in case.faults if isinstance(fault, Storm)]
            findings = play(case.story, world, lasts=max(lasts, default=timedelta()))
            if any(isinstance(fault, Watched) for fault in case.faults):
                # It ran twice, so what it did is no matter: its memory is.
                findings = Findings(apart=self.calls.overweight, visited=findings.visited)
            fired = all(fault in self.states.fired or fault in self.calls.fired for fault in case.faults)
            invocations = [] if case.faults else self.calls.invocations
            for invocation in invocations:
                invocation.thread = None
            return Played(
                findings, fired, self.states.answers, invocations, self.calls.services, time.process_time() - began
            )

        played: Played = in_a_fork(world.account, run)
        return played

    def _unweighed(self, undisturbed: Played) -> Iterator[Watched]:
        """Of each function that no earlier story has called, the run that makes the most calls."""
        for handler in sorted({run.handler for run in undisturbed.invocations} - self._weighed):
            self._weighed.add(handler)
            runs = [run for run in undisturbed.invocations if run.handler == handler]
            yield Watched(handler, max(runs, key=lambda run: len(run.calls)).number)

    # States -----------------------------------------------------------------------------------------------------

    def _state_cases(self, story: Story, undisturbed: Played) -> Iterator[Case]:
        states, visited = self.definitions[story.machine], undisturbed.findings.visited
        for name, state in states.items():
            if story.about not in name:
                continue
            if name in visited:
                lead: tuple[StateFault, ...] = ()
            elif story.thorough and (found := self._lead(story.machine, name, visited)) is not None:
                lead = (found,)
            else:
                continue
            answered = undisturbed.answers.get((story.machine, name), set())
            for fault in state_faults.faults_of(story.machine, name, state, answered):
                if (story.thorough and not lead) or _one_of_its_kind(fault):
                    yield Case("states", story, (*lead, fault))

    def _lead(self, machine: str, target: str, visited: frozenset[str]) -> StateFault | None:
        """A fault in a visited state from whose Catch the machine comes to a state that it visits only in trouble."""
        states = self.definitions[machine]
        for name in sorted(visited):
            rules = states[name].get("Catch", ()) if states[name]["Type"] == "Task" else ()
            if any(target in _reached(states, rule["Next"], visited) for rule in rules):
                return StateFault(machine, name, UNNAMED, times=ALWAYS)
        return None


def handlers_of(world: World) -> set[str]:
    """The handlers of the deployed functions."""
    pages = world.account.client("lambda").get_paginator("list_functions").paginate()
    return {
        str(f["Handler"]).split(".")[-2]
        for page in pages
        for f in page["Functions"]
        if f["Handler"].startswith("lambdas.")
    }


def storms(services: set[str]) -> list[Storm]:
    """An hour of throttling of each service, and SNS failing for longer than a message is delivered again."""
    hour = timedelta(hours=1)
    found = [Storm(service, TOO_MUCH.get(service, "ThrottlingException"), hour) for service in sorted(services)]
    return [*found, Storm("sns", TOO_MUCH["sns"], 3 * hour)]


def _compare(truth: dict[str, int], findings: Findings) -> None:
    """Hold what was counted against what is counted undisturbed."""
    for what in sorted(truth.keys() | findings.counted.keys()) if findings.counted else ():
        wanted, found = truth.get(what, 0), findings.counted.get(what, 0)
        if found != wanted:
            (findings.lost if found < wanted else findings.doubled).append(f"{what}: {found}, undisturbed {wanted}")


def _one_of_its_kind(fault: StateFault) -> bool:
    if fault.answer is not None:
        return fault.answer == "{}"
    return fault.error in (UNNAMED, TIMEOUT, STOPPED) and (fault.times == ALWAYS or fault.error == STOPPED)


def _reached(states: dict[str, dict[str, Any]], first: str, visited: frozenset[str]) -> set[str]:
    """The states that follow one, up to those that an undisturbed run visits."""
    found, ahead = set(), deque([first])
    while ahead:
        name = ahead.popleft()
        if name in found or name in visited or name not in states:
            continue
        found.add(name)
        state = states[name]
        rules = (*state.get("Choices", ()), *state.get("Catch", ()))
        ahead += [n for n in (state.get("Next"), state.get("Default"), *(rule["Next"] for rule in rules)) if n]
    return found
