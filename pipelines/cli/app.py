"""The command line: the options before the verb, and the verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli import (
    accounts,
    admin,
    demo,
    doctor,
    explain,
    init,
    packages,
    prices,
    profile,
    quarantine,
    recon,
    reconcile,
    run,
    settings,
    simulate,
    sql,
    status,
    stripe,
    ui,
    verify,
)
from pipelines.cli.group import TollbookGroup
from pipelines.cli.invocation import Invocation
from pipelines.cli.output import LogFormat, Output

# Plain help, no completion, no pretty tracebacks: each of them costs more than the rest of `--help` together.
app = typer.Typer(
    name="tollbook",
    cls=TollbookGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 findings, 4 locked, 5 Stripe, 130 interrupted.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from pipelines.release import code_version

        typer.echo(f"tollbook {code_version()}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    books: Annotated[
        Path | None, typer.Option("--books", metavar="DIR", help="The books folder; else TOLLBOOK_BOOKS, else upwards.")
    ] = None,
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Lay tollbook.NAME.toml over tollbook.toml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object to stdout.")] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="No notes, no progress: results and errors only.")
    ] = False,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Notes and errors on stderr as text or JSON lines.")
    ] = LogFormat.TEXT,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Exact books of prepaid AI tokens: usage logs in; a ledger, checks and reports out."""
    context.obj = Invocation(books, env, Output(as_json=as_json, quiet=quiet, log_format=log_format))


for module in (demo, init, doctor, status, run, explain, simulate, sql, verify, ui, reconcile):
    app.command(module.NAME)(module.command)
for group in (accounts, admin, packages, prices, profile, quarantine, settings, stripe, recon):
    app.add_typer(group.group, name=group.NAME)
