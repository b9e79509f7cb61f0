"""The namespace ``system``: what is downloaded, versions, notifications, flags."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Final

from lmwire import UNSET, system
from lmwire_emulator.log_book import LogBook
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.wire_values import model_info
from lmwire_runtime.server import ErrorReply, RequestContext, ServerChannel

__all__ = ["EmulatedSystem"]

_HTTP_PORT: Final = 1234

logger = logging.getLogger("lmwire.emulator")


class EmulatedSystem(system.SystemHandlers):
    """Handlers on a registry of models; flags and notifications live as long as the emulator.

    ``version`` and ``build`` are what the application says of itself.
    """

    def __init__(self, registry: ModelRegistry, log: LogBook, *, version: str, build: int) -> None:
        self._registry = registry
        self._log = log
        self._version = version
        self._build = build
        self._flags: set[str] = set()
        self.notifications: list[system.NotifyParameter] = []
        """What clients asked to show, the oldest first."""
        self.http_port: int | None = None
        """Where the HTTP server would listen, None while it is stopped; the emulator has none."""

    async def list_downloaded_models(self, context: RequestContext) -> list[system.ModelInfo]:
        return [model_info(model) for model in self._registry.downloaded]

    async def list_downloaded_model_variants(
        self, parameter: system.ListDownloadedModelVariantsParameter, context: RequestContext
    ) -> list[system.ModelInfo]:
        named = [model for model in self._registry.downloaded if model.model_key == parameter.model_key]
        repositories = {model.repository for model in named}
        return [model_info(model) for model in self._registry.downloaded if model.repository in repositories]

    async def notify(self, parameter: system.NotifyParameter, context: RequestContext) -> None:
        self.notifications.append(parameter)
        description = "" if parameter.description is UNSET else f": {parameter.description}"
        logger.info("notification from %s: %s%s", context.client_identifier, parameter.title, description)

    async def version(self, context: RequestContext) -> system.VersionResult:
        return system.VersionResult(version=self._version, build=self._build)

    async def info(self, context: RequestContext) -> system.InfoResult:
        return system.InfoResult(pid=os.getpid(), is_daemon=True, version=self._version)

    async def set_experiment_flag(
        self, parameter: system.SetExperimentFlagParameter, context: RequestContext
    ) -> None:
        (self._flags.add if parameter.value else self._flags.discard)(parameter.code)

    async def get_experiment_flags(self, context: RequestContext) -> list[str]:
        return sorted(self._flags)

    async def start_http_server(
        self, parameter: system.StartHttpServerParameter, context: RequestContext
    ) -> None:
        self.http_port = _HTTP_PORT if parameter.port is UNSET else parameter.port
        self._log.say(f"HTTP server listening on port {self.http_port}")

    async def stop_http_server(self, context: RequestContext) -> None:
        if self.http_port is None:
            raise ErrorReply("The HTTP server is not running")
        self.http_port = None
        self._log.say("HTTP server stopped")

    async def request_shutdown(self, context: RequestContext) -> None:
        raise ErrorReply(
            "This client may not shut the server down", suggestion="Stop `lmwire serve` with Ctrl-C."
        )

    async def alive(self, channel: ServerChannel[None, None]) -> None:
        # Open for as long as the connection is: its end is all that the client waits for.
        await asyncio.Event().wait()
