"""Objects for asyncio in plain code, and the other way round: what to write instead is said."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import lmstudio
import lmwire
from lmwire_emulator import EmulatorThread


@pytest.fixture(params=[lmwire, lmstudio], ids=lambda library: str(library.__name__))
def library(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


async def test_asyncio_objects_in_plain_code(library: ModuleType, emulator: EmulatorThread) -> None:
    client: Any = library.AsyncClient(emulator.api_host)
    stream: Any = (await client.llm.model()).complete_stream("x")

    with (
        pytest.raises(TypeError, match=r"^AsyncClient is for asyncio: write 'async with' .* or use Client"),
        client,
    ):
        pytest.fail("entered")
    with pytest.raises(TypeError, match=r"^AsyncPredictionStream is for asyncio: write 'async with'"), stream:
        pytest.fail("entered")
    with pytest.raises(TypeError, match=r"^AsyncPredictionStream is for asyncio: write 'async for'"):
        list(stream)

    assert [str(fragment) async for fragment in stream]
    await client.close()


async def test_plain_objects_in_asyncio_code(library: ModuleType, emulator: EmulatorThread) -> None:
    client: Any = library.Client(emulator.api_host)
    stream: Any = client.llm.model().complete_stream("x")

    with pytest.raises(
        TypeError, match=r"^Client is not for asyncio: write plain 'with', or use AsyncClient"
    ):
        async with client:
            pytest.fail("entered")
    with pytest.raises(TypeError, match=r"^PredictionStream is not for asyncio: write plain 'with'"):
        async with stream:
            pytest.fail("entered")
    with pytest.raises(TypeError, match=r"^PredictionStream is not for asyncio: write plain 'for'"):
        [fragment async for fragment in stream]

    assert list(map(str, stream))
    client.close()
