"""The script of the documentation is one."""

from __future__ import annotations

import re

import pytest
import yaml

from lmwire import ChannelError, Client
from lmwire_emulator import EmulatorThread, parse_script
from tests.support.emulators import ROOT


def test_the_documented_script_plays() -> None:
    text = (ROOT / "docs" / "scripts.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    script = parse_script(yaml.safe_load(found[1]))

    with EmulatorThread(script=script) as emulator, Client(emulator.api_host) as client:
        model = client.llm.model()
        result = model.complete("My name is")
        progress: list[float] = []
        with pytest.raises(ChannelError, match="out of memory"):
            client.llm.model("emulator/ngram-vision", on_load_progress=progress.append)
        counts = [model.count_tokens("My name is a long one") for _ in range(2)]
        with client.system.channel.alive() as channel:
            assert list(channel) == []

    assert str(result) == " Ada Lovelace"
    assert result.stats.tokens_per_second == 41.7
    assert progress == [0.0, 0.25, 0.5]
    assert counts[0] == 3 != counts[1]
