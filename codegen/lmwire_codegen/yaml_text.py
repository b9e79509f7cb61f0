"""YAML as the schema folder uses it: plain data, and a key that comes twice is an error."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

__all__ = ["line_of", "load_yaml"]


# The one in C reads the same, many times faster; not every build of PyYAML has it.
_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc, valid-type]  # chosen when this module is imported
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key: Hashable = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping",
                    node.start_mark,
                    f"found the key {key!r} twice",
                    key_node.start_mark,
                )
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def load_yaml(text: str) -> Any:
    """Parse YAML text.

    Raises:
        yaml.YAMLError: It is no YAML, has a key twice, or has more than plain data.
    """
    return yaml.load(text, Loader=_Loader)


def line_of(text: str, pointer: str) -> int:
    """Return the number of the line, from 1, on which what the JSON pointer means begins; as near as it goes."""
    node = yaml.compose(text, Loader=_Base)
    line = 1
    for segment in pointer.split("/")[1:]:
        name = segment.replace("~1", "/").replace("~0", "~")
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == name]
            if not pairs:
                break
            key, node = pairs[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
            line = node.start_mark.line + 1
        else:
            break
    return line
