"""Turns upstream's JSON Schema export into ``schema/wire``: ordinary JSON Schema, one file per topic and namespace.

``export`` reads the file and follows its references, ``homes`` finds out which type an anonymous copy stands for,
``translate`` rewrites single schemas, ``layout`` spreads them over files. What the export gets wrong or leaves out is
in ``schema/repairs.yaml``.
"""

from __future__ import annotations

from lmwire_codegen.importer.export import read_export
from lmwire_codegen.importer.layout import translate_export

__all__ = ["read_export", "translate_export"]
