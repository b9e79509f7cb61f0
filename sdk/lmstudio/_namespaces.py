"""The namespaces that have lmwire's own methods; the official ones that differ say that they are later work.

Apart from the clients, because the methods are imported on first use.
"""

from __future__ import annotations

from lmstudio._later import LacksNamespaceMethods
from lmwire import files, repository, system

__all__ = [
    "AsyncFiles",
    "AsyncRepository",
    "AsyncSystem",
    "Files",
    "Repository",
    "System",
]


class Files(LacksNamespaceMethods, files.Files):
    """The namespace ``files``."""


class AsyncFiles(LacksNamespaceMethods, files.AsyncFiles):
    """The namespace ``files``, for asyncio."""


class Repository(LacksNamespaceMethods, repository.Repository):
    """The namespace ``repository``."""


class AsyncRepository(LacksNamespaceMethods, repository.AsyncRepository):
    """The namespace ``repository``, for asyncio."""


class System(LacksNamespaceMethods, system.System):
    """The namespace ``system``."""


class AsyncSystem(LacksNamespaceMethods, system.AsyncSystem):
    """The namespace ``system``, for asyncio."""
