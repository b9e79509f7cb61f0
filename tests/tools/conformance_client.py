"""Completes one prompt with the official Python SDK, for the conformance kit: ``conformance_client.py HOST:PORT``."""

from __future__ import annotations

import importlib
import sys
from typing import Any

# The official SDK, which type checkers of the checkout do not see: there this name is lmwire's own.
lms: Any = importlib.import_module("lmstudio")

with lms.Client(sys.argv[1]) as client:
    print(client.llm.model().complete("Say something"))
