"""``lmwire``: the command group, and what all commands do alike when something goes wrong.

An error is one paragraph on stderr and exit code 1, wrong usage exits with 2, Ctrl-C cancels on the server
and exits with 130. Everywhere, ``--api-host`` is the server that a command talks to; ``--host`` and
``--port`` are where it listens itself.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import click

from lmwire import LMWireError
from lmwire_emulator import EmulatorError, ScriptError
from lmwire_tools.complete import complete
from lmwire_tools.conformance.command import conformance
from lmwire_tools.demo import demo
from lmwire_tools.serve import serve

__all__ = ["main"]

INTERRUPTED: Final = 130


class _Group(click.Group):
    """Turns exceptions into what a terminal's user expects."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (LMWireError, EmulatorError, ScriptError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if _stdout_is_gone(error):
                ctx.exit(1)
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("", err=True)
            ctx.exit(INTERRUPTED)


def _stdout_is_gone(error: OSError) -> bool:
    """Whether the reader of a pipe has left (``lmwire complete ... | head``)."""
    if not isinstance(error, BrokenPipeError) or isinstance(error, LMWireError):
        return False
    # Python flushes stdout once more at exit; let that go nowhere.
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    return True


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lmwire")
def main() -> None:
    """Talk to LM Studio's WebSocket API, or stand in for it."""


for _command in (complete, conformance, demo, serve):
    main.add_command(_command)
