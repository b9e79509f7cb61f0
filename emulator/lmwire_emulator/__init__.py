"""A stand-in for LM Studio: a protocol server on loopback, for demos, tests and machines without LM Studio.

``Emulator`` is the server for asyncio, ``EmulatorThread`` for everybody else; ``load_script`` and
``parse_script`` make the replies of the scripted engine. It never starts by itself.
"""

from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.models import LoadFailure, LoadPlan, Model, Quantization
from lmwire_emulator.script_reader import ScriptError, load_script, parse_script
from lmwire_emulator.scripts import Script
from lmwire_emulator.server import Emulator, EmulatorThread, Generation

__all__ = [
    "Emulator",
    "EmulatorError",
    "EmulatorThread",
    "Generation",
    "LoadFailure",
    "LoadPlan",
    "Model",
    "Quantization",
    "Script",
    "ScriptError",
    "load_script",
    "parse_script",
]
