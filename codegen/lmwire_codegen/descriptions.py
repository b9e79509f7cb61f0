"""Words for docstrings: from ``schema/descriptions`` by key, else from the schema itself.

A key says where in the schema a thing stands, and after a dot which of its fields is meant: ``LlmInfo``,
``LlmInfo.vision``, ``llm/channel/predict``, ``llm/channel/predict/toClient[success].stats``. Keys that nothing uses
are no error, so that the words survive a change of the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.problems import Location, Problems

__all__ = ["Descriptions"]


class Descriptions:
    """Finds the words; ``used`` collects the keys that were found."""

    def __init__(self, folder: SchemaFolder, problems: Problems) -> None:
        self._texts: dict[str, str] = {}
        self.used: Final[set[str]] = set()
        for file, table in folder.descriptions.items():
            for key, text in (table if isinstance(table, dict) else {}).items():
                if not isinstance(text, str):
                    problems.add(Location(file).child(key), "must be text")
                    continue
                if key in self._texts:
                    problems.add(Location(file).child(key), "is described twice")
                self._texts[key] = text

    def of(self, key: str, schema: Any) -> str:
        """Return the description of what stands at ``key``; empty if there is none."""
        if key in self._texts:
            self.used.add(key)
            return self._texts[key].strip()
        text = schema.get("description", "") if isinstance(schema, Mapping) else ""
        return text.strip() if isinstance(text, str) else ""
