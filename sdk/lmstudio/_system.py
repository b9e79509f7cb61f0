"""The namespace ``system`` under the official SDK's names: which models are on the server's disk."""

from __future__ import annotations

from typing import Any

import lmwire
from lmstudio._downloads import (
    AsyncDownloadedEmbeddingModel,
    AsyncDownloadedLlm,
    DownloadedEmbeddingModel,
    DownloadedLlm,
)
from lmstudio._records import EmbeddingModelInfo, LlmInfo, with_none
from lmstudio._timeouts import Timeout
from lmstudio._translation import speaks_lmstudio
from lmwire import system

__all__ = ["AsyncSystem", "System"]


@speaks_lmstudio
class System(system.System):
    """The namespace ``system``: lmwire's own methods, and the official one."""

    client: Any

    def list_downloaded_models(
        self, *, timeout: Timeout = lmwire.UNSET
    ) -> list[DownloadedLlm | DownloadedEmbeddingModel]:
        """Return the models on the server's disk, in its order; kinds that this revision does not know are left out."""
        found: list[DownloadedLlm | DownloadedEmbeddingModel] = []
        for info in self.list_downloaded(timeout=timeout):
            if isinstance(info, system.LlmInfo):
                found.append(DownloadedLlm(with_none(info, LlmInfo), self.client.llm))
            elif isinstance(info, system.EmbeddingModelInfo):
                found.append(
                    DownloadedEmbeddingModel(with_none(info, EmbeddingModelInfo), self.client.embedding)
                )
        return found


@speaks_lmstudio
class AsyncSystem(system.AsyncSystem):
    """The namespace ``system``, for asyncio."""

    client: Any

    async def list_downloaded_models(
        self, *, timeout: Timeout = lmwire.UNSET
    ) -> list[AsyncDownloadedLlm | AsyncDownloadedEmbeddingModel]:
        """Return the models on the server's disk; everything is as with ``System.list_downloaded_models``."""
        found: list[AsyncDownloadedLlm | AsyncDownloadedEmbeddingModel] = []
        for info in await self.list_downloaded(timeout=timeout):
            if isinstance(info, system.LlmInfo):
                found.append(AsyncDownloadedLlm(with_none(info, LlmInfo), self.client.llm))
            elif isinstance(info, system.EmbeddingModelInfo):
                found.append(
                    AsyncDownloadedEmbeddingModel(with_none(info, EmbeddingModelInfo), self.client.embedding)
                )
        return found
