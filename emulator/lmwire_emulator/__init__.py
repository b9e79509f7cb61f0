"""A stand-in for LM Studio: a protocol server on loopback, for demos, tests and machines without LM Studio.

``Emulator`` is the server for asyncio, ``EmulatorThread`` for everybody else; ``load_script`` and
``parse_script`` make the replies of the scripted engine. It never starts by itself.
"""

from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.generations import Generation
from lmwire_emulator.models import LoadPlan, Model, Quantization
from lmwire_emulator.script_reader import ScriptError, load_script, parse_script
from lmwire_emulator.scripts import Script
from lmwire_emulator.server import Emulator, EmulatorThread

__all__ = [
    "Emulator",
    "EmulatorError",
    "EmulatorThread",
    "Generation",
    "LoadPlan",
    "Model",
    "Quantization",
    "Script",
    "ScriptError",
    "load_script",
    "parse_script",
]
