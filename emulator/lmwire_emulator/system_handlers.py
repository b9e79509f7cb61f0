"""The namespace ``system``: what is downloaded, versions, notifications, flags."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Final

from lmwire import UNSET, system
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.wire_values import any_model_info
from lmwire_runtime.server import ErrorReply, RequestContext, ServerChannel

__all__ = ["BUILD", "VERSION", "EmulatedSystem"]

logger = logging.getLogger("lmwire.emulator")

VERSION: Final = "0.4.99"
BUILD: Final = 1


class EmulatedSystem(system.SystemHandlers):
    """Handlers on a registry of models; flags and notifications live as long as the emulator."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._flags: set[str] = set()
        self.notifications: list[system.NotifyParameter] = []
        """What clients asked to show, the oldest first."""

    async def list_downloaded_models(self, context: RequestContext) -> list[system.ModelInfo]:
        return [any_model_info(model) for model in self._registry.downloaded]

    async def list_downloaded_model_variants(
        self, parameter: system.ListDownloadedModelVariantsParameter, context: RequestContext
    ) -> list[system.ModelInfo]:
        named = [model for model in self._registry.downloaded if model.model_key == parameter.model_key]
        repositories = {model.repository for model in named}
        return [
            any_model_info(model) for model in self._registry.downloaded if model.repository in repositories
        ]

    async def notify(self, parameter: system.NotifyParameter, context: RequestContext) -> None:
        self.notifications.append(parameter)
        description = "" if parameter.description is UNSET else f": {parameter.description}"
        logger.info("notification from %s: %s%s", context.client_identifier, parameter.title, description)

    async def version(self, context: RequestContext) -> system.VersionResult:
        return system.VersionResult(version=VERSION, build=BUILD)

    async def info(self, context: RequestContext) -> system.InfoResult:
        return system.InfoResult(pid=os.getpid(), is_daemon=True, version=VERSION)

    async def set_experiment_flag(
        self, parameter: system.SetExperimentFlagParameter, context: RequestContext
    ) -> None:
        (self._flags.add if parameter.value else self._flags.discard)(parameter.code)

    async def get_experiment_flags(self, context: RequestContext) -> list[str]:
        return sorted(self._flags)

    async def request_shutdown(self, context: RequestContext) -> None:
        raise ErrorReply(
            "This client may not shut the server down", suggestion="Stop `lmwire serve` with Ctrl-C."
        )

    async def alive(self, channel: ServerChannel[None, None]) -> None:
        # Open for as long as the connection is: its end is all that the client waits for.
        await asyncio.Event().wait()
