"""The files that clients have uploaded: kept in memory, cut into passages, searched by vectors."""

from __future__ import annotations

import base64
import binascii
import bisect
import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

import attrs

from lmwire import files
from lmwire_emulator.engines.tokenizer import split_words
from lmwire_emulator.errors import EmulatorError

__all__ = ["FILE_BYTES", "STORE_BYTES", "FileStore", "Passage", "StoredFile", "passages"]

FILE_BYTES: Final = 128 * 1024 * 1024
"""The largest file that is taken."""

STORE_BYTES: Final = 512 * 1024 * 1024
"""How many bytes all files together may have."""

# The beginnings of files that are no text.
_SIGNATURES: Final[Sequence[tuple[bytes, files.FileType]]] = (
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF87a", "image"),
    (b"GIF89a", "image"),
    (b"BM", "image"),
    (b"RIFF", "image"),  # webp
    (b"%PDF-", "application/pdf"),
    (b"\xd0\xcf\x11\xe0", "application/word"),
)
_ARCHIVE: Final = b"PK\x03\x04"
_PLAIN_SUFFIXES: Final = ("", ".txt", ".text")


class FileNotFoundInStoreError(EmulatorError):
    """No file has this identifier."""

    def __init__(self, identifier: str) -> None:
        super().__init__(
            f'Cannot find a file with the identifier "{identifier}"',
            cause="It was never uploaded to this server, or the server was started anew since.",
            suggestion="Upload it again, and use the identifier that the upload returns.",
        )


class FileRefusedError(EmulatorError):
    """A file cannot be taken."""


@attrs.frozen(kw_only=True)
class StoredFile:
    """One file.

    Attributes:
        identifier: Made of its content and name: the same file has the same one.
        file_type: The wire's, by content first, by name second.
    """

    identifier: str
    name: str
    content: bytes
    file_type: files.FileType

    @property
    def is_text(self) -> bool:
        """Whether there is a text to read."""
        return self.file_type in ("text/plain", "text/other")

    @property
    def text(self) -> str:
        """The text of a file that is one."""
        return self.content.decode("utf-8-sig")


class FileStore:
    """Files by identifier."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}

    def __iter__(self) -> Iterator[StoredFile]:
        return iter(self._files.values())

    def add(self, name: str, content_base64: str) -> StoredFile:
        """Take a file.

        Raises:
            FileRefusedError: It is no base64, or too large.
        """
        try:
            content = base64.b64decode(content_base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise FileRefusedError(
                "The content of the file is not base64",
                cause=f"{error}.",
                suggestion="Encode its bytes anew.",
            ) from error
        held = sum(len(file.content) for file in self)
        for size, limit, what in (
            (len(content), FILE_BYTES, "The file is"),
            (held + len(content), STORE_BYTES, "All files together would be"),
        ):
            if size > limit:
                raise FileRefusedError(f"{what} {size} bytes large, the limit is {limit}")
        digest = hashlib.sha256(f"{name}\0".encode("utf-8", "surrogatepass") + content).hexdigest()
        file = StoredFile(
            identifier=f"{digest[:24]}{_suffix(name)}",
            name=name,
            content=content,
            file_type=_type_of(name, content),
        )
        self._files[file.identifier] = file
        return file

    def find(self, identifier: str) -> StoredFile:
        """Return a file.

        Raises:
            FileNotFoundInStoreError: There is none.
        """
        try:
            return self._files[identifier]
        except KeyError:
            raise FileNotFoundInStoreError(identifier) from None


def _suffix(name: str) -> str:
    # A name may be a path of any platform; no part of it but this gets into an identifier.
    suffix = PurePosixPath(PureWindowsPath(name).name).suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() else ""


def _type_of(name: str, content: bytes) -> files.FileType:
    for signature, file_type in _SIGNATURES:
        if content.startswith(signature):
            return file_type
    suffix = _suffix(name)
    if content.startswith(_ARCHIVE):
        return "application/word" if suffix == ".docx" else "unknown"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "unknown"
    if "\0" in text:
        return "unknown"
    return "text/plain" if suffix in _PLAIN_SUFFIXES else "text/other"


@attrs.frozen
class Passage:
    """A piece of a text.

    Attributes:
        text: The piece.
        first_line, last_line: Where it stands, from 1.
    """

    text: str
    first_line: int
    last_line: int

    def likeness(self, query: Sequence[float], vector: Sequence[float]) -> float:
        """Return how much two vectors point in the same direction, 0 to 1."""
        return max(0.0, math.fsum(one * other for one, other in zip(query, vector, strict=True)))


def passages(text: str, size: int, overlap: int) -> list[Passage]:
    """Cut a text into passages of ``size`` words at most; each begins with the last ``overlap`` of the one before."""
    words = split_words(text)
    ends = list(itertools.accumulate(map(len, words)))
    breaks = [position for position, character in enumerate(text) if character == "\n"]
    found = []
    for first in range(0, max(1, len(words) - overlap), max(1, size - overlap)):
        last = min(first + size, len(words))
        start, end = (ends[first - 1] if first else 0), (ends[last - 1] if last else 0)
        piece = text[start:end]
        if piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            finish = end - len(piece) + len(piece.rstrip())
            lines = [bisect.bisect_left(breaks, position) + 1 for position in (begin, finish - 1)]
            found.append(Passage(piece.strip(), *lines))
    return found
