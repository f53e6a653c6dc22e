"""The command's root: help in sections, and every failure of a verb as one sentence with an exit code."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from pipelines.cli.invocation import of

SECTIONS: dict[str, tuple[str, ...]] = {
    "Begin": ("demo", "init", "profile", "doctor"),
    "Bill": ("status", "run", "quarantine", "admin"),
    "Price": ("settings", "packages", "prices", "explain", "simulate"),
    "Reconcile": ("stripe", "reconcile", "recon"),
    "Look": ("accounts", "sql", "verify", "ui"),
}
"""The verbs by what people want, in the order of a first week."""


class TollbookGroup(TyperGroup):
    """The root command."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; what it raises becomes a sentence on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            error.message = error.message.replace("Value error, ", "")  # what a validator says of itself, to nobody
            raise
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise  # a wrong option or a closed pipe: the library under us knows what to do
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 this is the last place that can say it in words
            from pipelines.cli.failures import report

            raise typer.Exit(report(error, of(ctx))) from None

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs in the order of the sections."""
        known = super().list_commands(ctx)
        ordered = [verb for verbs in SECTIONS.values() for verb in verbs if verb in known]
        return ordered + [verb for verb in known if verb not in ordered]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs in sections."""
        listed = self.list_commands(ctx)
        sectioned = {verb for verbs in SECTIONS.values() for verb in verbs}
        others = tuple(verb for verb in listed if verb not in sectioned)
        width = max(len(verb) for verb in listed)
        for heading, verbs in (*SECTIONS.items(), ("Other", others)):
            commands = [(verb, self.commands[verb]) for verb in verbs if verb in self.commands]
            rows = [(verb.ljust(width), command.get_short_help_str(formatter.width)) for verb, command in commands]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
