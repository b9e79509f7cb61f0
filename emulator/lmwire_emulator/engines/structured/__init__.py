"""Structured output: text that is JSON of a JSON Schema, because nothing else can be chosen.

``compiler`` turns a schema into a graph of ``nodes``, which know what a value may be and how far away the nearest
finite one is; ``checks`` judges values that a schema lists; ``writing`` walks the graph and says, token by token, what
may come next and how likely it is. The choice among that is the sampler's, as for all text.
"""

from __future__ import annotations

from lmwire_emulator.engines.structured.compiler import ANY_OBJECT, compile_schema
from lmwire_emulator.engines.structured.nodes import Node
from lmwire_emulator.engines.structured.problems import InvalidSchemaError, UnsupportedKeywordError
from lmwire_emulator.engines.structured.writing import structured_text

__all__ = [
    "ANY_OBJECT",
    "InvalidSchemaError",
    "Node",
    "UnsupportedKeywordError",
    "compile_schema",
    "structured_text",
]
