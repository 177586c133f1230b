"""The `kedge` command and its subcommands."""

from __future__ import annotations

from cli.account import deploy, serve
from cli.adopt.command import adopt
from cli.backtest.command import backtest
from cli.check.command import check
from cli.cost.command import cost
from cli.definitions import put, remove
from cli.doctor.command import doctor
from cli.drafts.command import init
from cli.models import validate
from cli.operator.alert_test_command import alert_test
from cli.operator.commands import approve, history, mute, pause, reconcile, retrain, rollback
from cli.operator.export import export
from cli.operator.past_commands import backfill, judge
from cli.operator.promote_command import promote
from cli.operator.report_command import report
from cli.operator.status_command import status
from cli.smoke.command import smoke
from cli.stages import Commands

app = Commands(
    name="kedge",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Watches models on SageMaker: drift, quality, retraining, release.",
)
account = Commands(no_args_is_help=True, help="The offline account: AWS in one process.")
models = Commands(no_args_is_help=True, help="The watched models' YAML files.")

app.command("check")(check)
app.command("backtest")(backtest)
app.command("init")(init)
app.command("adopt")(adopt)
app.command("cost")(cost)
app.add_typer(models, name="models")
models.command("validate")(validate)
models.command("put")(put)
models.command("remove")(remove)
app.command("doctor")(doctor)
app.command("status")(status)
app.command("history")(history)
app.command("report")(report)
app.command("export")(export)
app.command("retrain")(retrain)
app.command("pause")(pause)
app.command("mute")(mute)
app.command("test-alert")(alert_test)
app.command("approve")(approve)
app.command("promote")(promote)
app.command("rollback")(rollback)
app.command("reconcile")(reconcile)
app.command("judge")(judge)
app.command("backfill")(backfill)
app.command("smoke")(smoke)
app.add_typer(account, name="account")
account.command("serve")(serve)
account.command("deploy")(deploy)


@account.callback()
@models.callback()
def _group() -> None:
    """Keep every command a subcommand, also where there is one."""
