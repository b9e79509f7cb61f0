"""Pieces of schemas, and what tests ask of the classes that become of them."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.wire import STRICT, DecodeError

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def an_object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def pointer_of_refusal(decode: Any, data: Any) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(data, STRICT)
    return caught.value.pointer


def survives(message_class: Any, data: Any) -> Any:
    """Decode strictly, check that nothing is lost on the way back, return the message."""
    message = message_class.from_wire(data, STRICT)
    assert message.to_wire() == data
    return message
