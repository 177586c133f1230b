"""The subcommands of `kedge`, each imported where it may be called: what the others need takes longer than a short one's work."""

from __future__ import annotations

from importlib import import_module

from cli.stages import Commands

# By what a person types, in the order of the help: module and function.
PLACES = {
    "check": "cli.check.command:check",
    "backtest": "cli.backtest.command:backtest",
    "init": "cli.drafts.command:init",
    "adopt": "cli.adopt.command:adopt",
    "cost": "cli.cost.command:cost",
    "doctor": "cli.doctor.command:doctor",
    "status": "cli.operator.status_command:status",
    "history": "cli.operator.commands:history",
    "report": "cli.operator.report_command:report",
    "export": "cli.operator.export:export",
    "retrain": "cli.operator.commands:retrain",
    "pause": "cli.operator.commands:pause",
    "mute": "cli.operator.commands:mute",
    "test-alert": "cli.operator.alert_test_command:alert_test",
    "approve": "cli.operator.commands:approve",
    "promote": "cli.operator.promote_command:promote",
    "rollback": "cli.operator.commands:rollback",
    "reconcile": "cli.operator.commands:reconcile",
    "judge": "cli.operator.past_commands:judge",
    "backfill": "cli.operator.past_commands:backfill",
    "smoke": "cli.smoke.command:smoke",
    "models validate": "cli.models:validate",
    "models put": "cli.definitions:put",
    "models remove": "cli.definitions:remove",
    "account serve": "cli.account:serve",
    "account deploy": "cli.account:deploy",
}
_GROUPS = {"models": "The watched models' YAML files.", "account": "The offline account: AWS in one process."}


def commands(typed: str = "") -> Commands:
    """`kedge` with the subcommands that begin with the word that was typed, or with all of them where none does."""
    app = Commands(
        name="kedge",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
        help="Watches models on SageMaker: drift, quality, retraining, release.",
    )
    app.callback()(_group)
    groups = {"": app}
    for name in [name for name in PLACES if name.split()[0] == typed] or PLACES:
        group, _, last = name.rpartition(" ")
        if group not in groups:
            groups[group] = Commands(no_args_is_help=True, help=_GROUPS[group])
            groups[group].callback()(_group)
            app.add_typer(groups[group], name=group)
        module, _, function = PLACES[name].partition(":")
        groups[group].command(last)(getattr(import_module(module), function))
    return app


def _group() -> None:
    """Keep every command a subcommand, also where there is one."""
