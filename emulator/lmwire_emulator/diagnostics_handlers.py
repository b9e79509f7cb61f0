"""The namespace ``diagnostics``: what happens on the server is streamed, until the client has enough."""

from __future__ import annotations

import asyncio

from lmwire import diagnostics
from lmwire_emulator.log_book import Listener, LogBook
from lmwire_runtime.server import ServerChannel

__all__ = ["EmulatedDiagnostics"]

Channel = ServerChannel[diagnostics.StreamLogsToServer, diagnostics.StreamLogsToClient]


class EmulatedDiagnostics(diagnostics.DiagnosticsHandlers):
    """Handlers on the emulator's log."""

    def __init__(self, log: LogBook) -> None:
        self._log = log

    async def stream_logs(self, channel: Channel) -> None:
        with self._log.listening() as listener:
            telling = asyncio.ensure_future(_tell(listener, channel))
            try:
                async for packet in channel:
                    if isinstance(packet, diagnostics.StreamLogsStop):
                        return
            finally:
                telling.cancel()


async def _tell(listener: Listener, channel: Channel) -> None:
    while await channel.send(diagnostics.StreamLogsLog(log=await listener.get())):
        pass
