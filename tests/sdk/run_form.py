"""``python run_form.py PROGRAM.py FORM ARGUMENTS...`` calls one function of a program, a coroutine in an event loop."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from pathlib import Path

program, form = Path(sys.argv[1]), sys.argv[2]
sys.argv[:] = [str(program), *sys.argv[3:]]
sys.path.insert(0, str(program.parent))
chosen = getattr(importlib.import_module(program.stem), form)
if inspect.iscoroutinefunction(chosen):
    asyncio.run(chosen())
else:
    chosen()
