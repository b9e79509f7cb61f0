"""Starts the compiler's command line, or says what to install for it: the script exists without the extra
``codegen`` too.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Final

__all__ = ["main"]

_NEEDED: Final = frozenset({"click", "datamodel_code_generator", "jinja2", "jsonschema", "yaml"})


def main() -> None:
    """Run the command ``lmwire-codegen``."""
    try:
        from lmwire_codegen.cli import main as command
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.exit(
            f"lmwire-codegen needs {error.name}; install what it needs with: pip install 'lmwire[codegen]'"
        )
    signal.signal(signal.SIGTERM, _ended)
    command(prog_name="lmwire-codegen")


def _ended(number: int, _: FrameType | None) -> None:
    """End as Ctrl-C does, so that what is half written is taken back."""
    sys.exit(128 + number)
