"""The namespaces of which only lmwire's own stubs are here; the official methods say that they are later work.

Apart from the clients, because the stubs are imported on first use.
"""

from __future__ import annotations

from lmstudio._later import LacksNamespaceMethods
from lmwire.files.stubs import AsyncFilesNamespace, FilesNamespace
from lmwire.repository.stubs import AsyncRepositoryNamespace, RepositoryNamespace
from lmwire.system.stubs import AsyncSystemNamespace, SystemNamespace

__all__ = [
    "AsyncFiles",
    "AsyncRepository",
    "AsyncSystem",
    "Files",
    "Repository",
    "System",
]


class Files(LacksNamespaceMethods, FilesNamespace):
    """The namespace ``files``."""


class AsyncFiles(LacksNamespaceMethods, AsyncFilesNamespace):
    """The namespace ``files``, for asyncio."""


class Repository(LacksNamespaceMethods, RepositoryNamespace):
    """The namespace ``repository``."""


class AsyncRepository(LacksNamespaceMethods, AsyncRepositoryNamespace):
    """The namespace ``repository``, for asyncio."""


class System(LacksNamespaceMethods, SystemNamespace):
    """The namespace ``system``."""


class AsyncSystem(LacksNamespaceMethods, AsyncSystemNamespace):
    """The namespace ``system``, for asyncio."""
