"""Starts the command line, or says what to install for it: the script exists without the extra ``cli`` too."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command ``lmwire``."""
    try:
        from lmwire_tools.cli import main as command
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"lmwire: the command line needs {error.name}; install it with: pip install 'lmwire[cli]'")
    command(prog_name="lmwire")
