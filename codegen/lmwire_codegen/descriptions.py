"""Words for docstrings: from ``schema/descriptions`` by key, else from the schema itself.

A key says where in the schema a thing stands, and after a dot which of its fields is meant: ``LlmInfo``,
``LlmInfo.vision``, ``llm/channel/predict``, ``llm/channel/predict/toClient[success].stats``; after an equals sign,
which member of an enum (``FileType=image``). Keys that nothing uses are no error, so that the words survive a change
of the protocol; what is said of a type that upstream renamed is found under the Python name that it kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.problems import Location, Problems

__all__ = ["Descriptions", "expanded"]

_LIST: Final = re.compile(r"\{([^{}]+)\}")
_TYPE: Final = re.compile(r"\w+")


def expanded(key: str) -> list[str]:
    """Write out the lists in a key: ``{llm,embedding}/rpc/tokenize`` means two; empty braces are a map's values."""
    match = _LIST.search(key)
    if match is None:
        return [key]
    before, after = key[: match.start()], key[match.end() :]
    return [name for option in match[1].split(",") for name in expanded(f"{before}{option.strip()}{after}")]


class Descriptions:
    """Finds the words; ``used`` collects the keys that were found."""

    def __init__(self, folder: SchemaFolder, problems: Problems) -> None:
        self._texts: dict[str, str] = {}
        self._names: Final = folder.lock
        self.used: Final[set[str]] = set()
        for file, table in folder.descriptions.items():
            for key, text in (table if isinstance(table, dict) else {}).items():
                if not isinstance(text, str):
                    problems.add(Location(file).child(key), "must be text")
                    continue
                for name in expanded(str(key)):
                    if name in self._texts:
                        problems.add(Location(file).child(key), f"describes {name!r} a second time")
                    self._texts[name] = text

    def of(self, key: str, schema: Any) -> str:
        """Return the description of what stands at ``key``; empty if there is none."""
        for known in (key, self._kept(key)):
            if known in self._texts:
                self.used.add(key)
                return self._texts[known].strip()
        text = schema.get("description", "") if isinstance(schema, Mapping) else ""
        return text.strip() if isinstance(text, str) else ""

    def _kept(self, key: str) -> str:
        """Return the key with the Python name of its type in place of the type's own."""
        match = _TYPE.match(key)
        name = match[0] if match is not None else ""
        return self._names.get(name, name) + key[len(name) :]
