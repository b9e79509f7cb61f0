"""The namespace ``files`` under the official SDK's names: images for chats.

Apart from the clients, because lmwire's methods are imported on first use.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import lmwire
from lmstudio._translation import speaks_lmstudio
from lmwire import files

if TYPE_CHECKING:
    from lmstudio._timeouts import Timeout
    from lmstudio.history import FileHandle, LocalFileInput

__all__ = ["AsyncFiles", "Files"]


@speaks_lmstudio
class Files(files.Files):
    """The namespace ``files``: lmwire's own methods, and the official one."""

    def prepare_image(
        self, src: LocalFileInput, name: str | None = None, *, timeout: Timeout = lmwire.UNSET
    ) -> FileHandle:
        """Store an image on the server, and return the handle that ``Chat.add_user_message(images=[...])`` takes.

        Args:
            src: Its path, its content as bytes or any other buffer, or a file that is open for reading bytes.
            name: What it is called; by default as on disk, or a random name.
            timeout: Seconds to wait, None for no limit; by default the client's.

        Raises:
            LMStudioOSError: It cannot be read; LMStudioFileNotFoundError if there is no such file. Nothing was sent.
            LMStudioValueError: It is none of all that; nothing was sent.
            LMStudioServerError: The server does not take it.
        """
        return self.upload(_content_of(src), name=_name_of(src, name), timeout=timeout)


@speaks_lmstudio
class AsyncFiles(files.AsyncFiles):
    """The namespace ``files``, for asyncio."""

    async def prepare_image(
        self, src: LocalFileInput, name: str | None = None, *, timeout: Timeout = lmwire.UNSET
    ) -> FileHandle:
        """Store an image on the server; everything is as with ``Files.prepare_image``."""
        return await self.upload(_content_of(src), name=_name_of(src, name), timeout=timeout)


def _content_of(src: Any) -> Any:
    """Return what lmwire takes: of buffers, such as arrays, it takes the bytes."""
    try:
        return memoryview(src).tobytes()
    except TypeError:
        return src


def _name_of(src: Any, name: str | None) -> str | None:
    """Return the name for the server; None if lmwire finds one on disk."""
    path = src if isinstance(src, (str, os.PathLike)) else getattr(src, "name", None)
    return name or (None if isinstance(path, (str, os.PathLike)) else str(uuid.uuid4()))
