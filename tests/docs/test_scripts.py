"""The script of the documentation is one."""

from __future__ import annotations

import re

import yaml

from lmwire import Client
from lmwire_emulator import EmulatorThread, parse_script
from tests.support.emulators import ROOT


def test_the_documented_script_plays() -> None:
    text = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    script = parse_script(yaml.safe_load(found[1]))

    with EmulatorThread(script=script) as emulator, Client(emulator.api_host) as client:
        result = client.llm.model().complete("My name is")

    assert str(result) == " Ada Lovelace"
    assert result.stats.tokens_per_second == 41.7
