"""``lmwire``: the command group, and what all commands do alike when something goes wrong.

An error is one paragraph on stderr and exit code 1, wrong usage exits with 2, Ctrl-C cancels on the server
and exits with 130. Everywhere, ``--api-host`` is the server that a command talks to; ``--host`` and
``--port`` are where it listens itself.

A command's module is imported when the command is used: most of them need all of the protocol, and ``--help`` and
completion in a shell need none of it. So ``COMMANDS`` says where each is, and what it does in one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import attrs
import click
from click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "main"]

INTERRUPTED: Final = 130


@attrs.frozen
class _Place:
    """Where a command is, and the line about it in ``lmwire --help``; the first line of its own help says the same."""

    module: str
    help: str
    group: str


_TALK: Final = "Talk to a server"
_STAND_IN: Final = "Stand in for a server"
_TEST: Final = "Test the protocol"

COMMANDS: Final[Mapping[str, _Place]] = {
    "complete": _Place("complete", "Complete PROMPT, printing the text as it is made.", _TALK),
    "call": _Place("call", "Call the rpc ENDPOINT of NAMESPACE and print its result.", _TALK),
    "watch": _Place("watch", "Print what the channel or signal ENDPOINT of NAMESPACE sends.", _TALK),
    "demo": _Place("demo", "Start an emulated server and stream a completion from it.", _STAND_IN),
    "serve": _Place("serve", "Stand in for LM Studio until Ctrl-C.", _STAND_IN),
    "proxy": _Place("proxy_command", "Pass on all that clients and a server say, and print it.", _TEST),
    "validate": _Place("validate", "Hold the frames of FILE against the schema.", _TEST),
    "replay": _Place("replay_command", "Play the recording FILE, to a client or to a server.", _TEST),
    "conformance": _Place("conformance.command", "Hold a server, or a client, against the protocol.", _TEST),
}


class _Group(click.Group):
    """Imports commands on first use, and turns exceptions into what a terminal's user expects."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        command = getattr(import_module(f"lmwire_tools.{place.module}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group in dict.fromkeys(place.group for place in COMMANDS.values()):
            with formatter.section(group):
                formatter.write_dl(
                    [(name, place.help) for name, place in COMMANDS.items() if place.group == group],
                    col_spacing=3,
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        found = [CompletionItem(name, help=COMMANDS[name].help) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]}?" if close else f" The commands are {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if isinstance(error, OSError) and _stdout_is_gone(error):
                ctx.exit(1)
            if not isinstance(error, _expected_errors()):
                raise
            kind = click.UsageError if isinstance(error, _usage_error()) else click.ClickException
            raise kind(str(error)) from error


def _usage_error() -> type[Exception]:
    """What says that the program, or here the command line, asks for what makes no sense."""
    from lmwire import UsageError

    return UsageError


def _expected_errors() -> tuple[type[Exception], ...]:
    """The errors that need no traceback."""
    from lmwire import LMWireError
    from lmwire_emulator.errors import EmulatorError
    from lmwire_emulator.script_reader import ScriptError

    return (LMWireError, EmulatorError, ScriptError, OSError)


def _stdout_is_gone(error: OSError) -> bool:
    """Whether the reader of a pipe has left (``lmwire complete ... | head``)."""
    from lmwire import LMWireError

    if not isinstance(error, BrokenPipeError) or isinstance(error, LMWireError):
        return False
    # Python flushes stdout once more at exit; let that go nowhere.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    return True


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lmwire")
def main() -> None:
    """Talk to LM Studio's WebSocket API, stand in for it, or see what passes.

    Every command has a --help of its own. Errors exit with 1, wrong usage with 2, Ctrl-C with 130.
    """
