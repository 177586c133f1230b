"""An estimate as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from kedge.cost.lines import total

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from cli.cost.actual import Spent
    from kedge.cost.estimate import ModelCost
    from kedge.cost.lines import Line, Part

PARTS: dict[Part, str] = {
    "watching": "watching it",
    "captures": "its captures, which any monitor needs",
    "changes": "retraining and release",
}
# What is cheaper is summed up in one line.
SHOWN_USD_MIN = 0.0005
# More models that have an assumption are counted.
NAMED_MAX = 3


def print_estimates(found: Sequence[ModelCost], fixed: Sequence[Line], models: int) -> None:
    """Print the model's lines, or of several models a line each; then what was assumed, what the deployment costs, and the sum."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(_table_of_one(found[0], models) if len(found) == 1 else _table_of_all(found, models))
    for said in _said_once(found):
        console.print(f"- {said}", markup=False)
    table = _table("the deployment")
    _add(table, fixed)
    _add_sum(table, "together", total(fixed))
    console.print(table)
    if len(found) > 1:
        console.print(f"all {len(found):,} models: {sum(each.usd for each in found):,.2f} USD a month")


def _table_of_one(cost: ModelCost, models: int) -> Table:
    table = _table(cost.model)
    for part, heading in PARTS.items():
        if of_part := [line for line in cost.lines if line.part == part]:
            _add_sum(table, heading, total(of_part))
            _add(table, of_part)
            table.add_section()
    _add_sum(table, f"its share of the deployment, of {models:,}", cost.share_usd)
    _add_sum(table, "together", cost.usd)
    return table


def _table_of_all(found: Sequence[ModelCost], models: int) -> Table:
    """A line a model, the dearest first."""
    from rich.table import Table

    title = (
        f"USD a month, the dearest first; each has {found[0].share_usd:.3f} of the deployment, of {models:,}, besides"
    )
    table = Table("model", title=f"{title}. For a model's lines: kedge cost MODEL", title_justify="left")
    for heading in (*PARTS.values(), "together"):
        table.add_column(heading, justify="right")
    for each in sorted(found, key=lambda cost: -cost.usd):
        sums = (total(each.lines, part) for part in PARTS)
        table.add_row(each.model, *(f"{usd:.3f}" for usd in sums), f"{total(each.lines):.3f}")
    return table


def _said_once(found: Sequence[ModelCost]) -> Iterator[str]:
    """Each assumption once, with the models that have it where others have not."""
    by_said: dict[str, list[str]] = {}
    for each in found:
        for said in each.assumptions:
            by_said.setdefault(said, []).append(each.model)
    for said, having in by_said.items():
        named = ", ".join(having) if len(having) <= NAMED_MAX else f"{len(having):,} of the models"
        yield said if len(having) == len(found) else f"{said} ({named})"


def print_spent(found: Spent, model: str | None) -> None:
    """Print what was spent: by service and function, and what carries a model's tag."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if model is None:
        _print_sums(console, f"{found.start} to {found.end}, by service", found.by_service)
        _print_sums(
            console, "its functions, by CloudWatch's counts", {each.function: each.usd for each in found.worked}
        )
    by_model = found.by_model if model is None else {model: found.by_model.get(model, 0.0)}
    _print_sums(console, "its training, scoring and serving, by model", by_model)
    for said in (
        *([found.why_no_model] if found.why_no_model else []),
        "AWS shows a day's costs up to a day after its end; they are unblended costs, before tax",
        "custom metrics, traces and requests of KMS carry no tags, so they are not in it; kedge cost estimates them",
        "functions and storage serve all models: kedge cost estimates what each model has of them",
        "AWS takes $0.01 for each of the requests to Cost Explorer that this made, two at least",
    ):
        console.print(f"- {said}", markup=False)


def _print_sums(console: Console, title: str, sums: Mapping[str, float]) -> None:
    from rich.table import Table

    table = Table("", title=title, title_justify="left")
    table.add_column("USD", justify="right", no_wrap=True)
    for name, usd in sorted(sums.items(), key=lambda each: -each[1]):
        table.add_row(name, f"{usd:.4f}")
    table.add_row("together", f"{sum(sums.values()):.4f}")
    console.print(table)


def _table(title: str) -> Table:
    from rich.table import Table

    table = Table("a month", title=title, title_justify="left")
    for heading in ("quantity", "USD for one", "USD"):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _add(table: Table, lines: Sequence[Line]) -> None:
    for line in lines:
        if line.usd >= SHOWN_USD_MIN:
            quantity = f"{line.quantity:,.0f}" if line.quantity >= 100 else f"{line.quantity:.3g}"
            table.add_row(f"  {line.what}", quantity, f"{line.price:.3g}", f"{line.usd:.3f}")
    if small := [line for line in lines if line.usd < SHOWN_USD_MIN]:
        table.add_row(f"  {len(small)} more, each below {SHOWN_USD_MIN}", "", "", f"{total(small):.3f}")


def _add_sum(table: Table, what: str, usd: float) -> None:
    table.add_row(f"[bold]{what}[/bold]", "", "", f"[bold]{usd:.2f}[/bold]")
