"""Short ways to ask an option table, for the tests of options."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire import UsageError
from lmwire_runtime.surface.options import OptionTable
from lmwire_runtime.wire import WarningSink

SPLIT = "load.gpuSplitConfig"
DRAFT = "llm.load.llama.speculativeDecoding"


def sent(table: OptionTable[Any], config: object) -> dict[str, Any]:
    """The fields that go out, by key."""
    return {field["key"]: field["value"] for field in table.to_fields(config)}


def refusal(table: OptionTable[Any], config: object) -> str:
    """The message with which a config is refused."""
    with pytest.raises(UsageError) as caught:
        table.to_fields(config)
    return str(caught.value)


class Warnings:
    """Collects what a sink would log."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.sink = WarningSink(self.lines.append)
