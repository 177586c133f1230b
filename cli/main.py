"""The `kedge` command with all its subcommands."""

from cli.commands import commands

app = commands()
