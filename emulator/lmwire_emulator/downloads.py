"""Downloading: bytes that arrive by the emulator's clock, told the same way on every channel that downloads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from lmwire.types.downloads import DownloadProgressUpdate
from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.clock import Clock
from lmwire_runtime.server import ServerChannel

__all__ = ["STEPS", "DownloadPackets", "Downloader"]

STEPS: Final = 10
"""How often progress is told, the start not counted."""


@attrs.frozen
class DownloadPackets:
    """The packet classes with which one channel tells of a download; ``finalizing`` has no fields."""

    progress: Callable[..., Any]
    finalizing: Callable[[], Any]


@attrs.frozen
class Downloader:
    """Downloads, each in so many ``seconds``."""

    clock: Clock
    seconds: float = 0.0

    async def run(
        self,
        size: int,
        channel: ServerChannel[Any, Any],
        packets: DownloadPackets,
        cancellation: Cancellation,
    ) -> bool:
        """Download so many bytes; returns False if cancelled, then nothing more is to be told."""
        began = self.clock.monotonic()
        for step in range(STEPS + 1):
            if step and not await cancellation.pause(self.clock, self.seconds / STEPS):
                return False
            done = size * step // STEPS
            took = self.clock.monotonic() - began
            update = DownloadProgressUpdate(
                downloaded_bytes=done,
                total_bytes=size,
                speed_bytes_per_second=done / took if took > 0 else 0.0,
            )
            await channel.send(packets.progress(update=update))
        await channel.send(packets.finalizing())
        return await cancellation.pause(self.clock, 0)
