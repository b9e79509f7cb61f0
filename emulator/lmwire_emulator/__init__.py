"""A stand-in for LM Studio: a protocol server on loopback with models of its own, for tests, demos and CI."""

from __future__ import annotations

from lmwire_emulator.script_reader import ScriptError, load_script, parse_script
from lmwire_emulator.scripts import Script
from lmwire_emulator.server import Emulator, EmulatorThread

__all__ = ["Emulator", "EmulatorThread", "Script", "ScriptError", "load_script", "parse_script"]
