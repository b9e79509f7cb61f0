"""The namespace ``repository`` under the official SDK's names: models are searched, and downloaded to the server.

A search gives models, a model gives its options (one for each quantization), an option is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

import lmwire
from lmstudio._records import Record, with_none
from lmstudio._translation import speaks_lmstudio
from lmwire import repository
from lmwire.repository import DownloadProgressUpdate

if TYPE_CHECKING:
    from lmstudio._timeouts import Timeout
    from lmwire.repository import ModelCompatibilityType

__all__ = [
    "AsyncAvailableModel",
    "AsyncModelDownloadOption",
    "AsyncRepository",
    "AvailableModel",
    "DownloadFinalizedCallback",
    "DownloadProgressCallback",
    "DownloadProgressUpdate",
    "ModelDownloadOption",
    "Repository",
]

DownloadProgressCallback: TypeAlias = Callable[[DownloadProgressUpdate], Any]
DownloadFinalizedCallback: TypeAlias = Callable[[], Any]

Data = TypeVar("Data", bound=Record)
Namespace = TypeVar("Namespace", bound="repository.Repository | repository.AsyncRepository")


class ModelSearchResultEntryData(Record, repository.ModelSearchResultEntryData):
    """A model that was found; None for what the server does not say."""

    __slots__ = ()

    exact: bool | None  # type: ignore[assignment]
    staff_pick: bool | None  # type: ignore[assignment]


class ModelSearchResultDownloadOptionData(Record, repository.ModelSearchResultDownloadOptionData):
    """A form in which a model can be downloaded; None for what the server does not say."""

    __slots__ = ()

    quantization: str | None  # type: ignore[assignment]
    recommended: bool | None  # type: ignore[assignment]


class _Found(Generic[Data, Namespace]):
    """What the server says of something, None for what it does not say; and the namespace that can ask for more."""

    record: type[Data]
    shown: ClassVar[Iterable[str]]

    def __init__(self, data: object, namespace: Namespace) -> None:
        self._data = with_none(data, self.record)
        self._namespace = namespace

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self._data, name)!r}" for name in self.shown)
        return f"{type(self).__name__}({fields})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._namespace is other._namespace and self._data == other._data

    __hash__ = None  # type: ignore[assignment]  # what it holds is mutable


class _Model(_Found[ModelSearchResultEntryData, Namespace]):
    record = ModelSearchResultEntryData
    shown = ("name", "identifier", "exact", "staff_pick")

    @property
    def search_result(self) -> ModelSearchResultEntryData:
        """What the search found: its name and identifier, whether it is exactly what was asked for or recommended."""
        return self._data


class _Option(_Found[ModelSearchResultDownloadOptionData, Namespace]):
    record = ModelSearchResultDownloadOptionData
    shown = ("name", "download_identifier", "indexed_model_identifier", "recommended")

    @property
    def info(self) -> ModelSearchResultDownloadOptionData:
        """Its name, quantization, size in bytes, whether the server can run it, whether it is recommended."""
        return self._data


@speaks_lmstudio
class ModelDownloadOption(_Option[repository.Repository]):
    """One of the forms in which a model can be downloaded."""

    def download(
        self,
        on_progress: DownloadProgressCallback | None = None,
        on_finalize: DownloadFinalizedCallback | None = None,
        *,
        timeout: Timeout = lmwire.UNSET,
    ) -> str:
        """Download it to the server's disk, and return the key by which it can be loaded.

        Ctrl-C, cancelling the task and a function that raises cancel the download on the server.

        Args:
            on_progress: Called with the bytes that are there, those there are in all, and how many come each second.
            on_finalize: Called when all has arrived, and is being checked and put in place.
            timeout: Seconds of silence, None for no limit; by default the client's.

        Raises:
            LMStudioServerError: The server cannot download it.
            LMStudioChannelClosedError: It ended without a result.
        """
        return self._namespace.download(
            self._data, on_progress=on_progress, on_finalizing=on_finalize, timeout=timeout
        )


@speaks_lmstudio
class AvailableModel(_Model[repository.Repository]):
    """A model that can be downloaded."""

    def get_download_options(self, *, timeout: Timeout = lmwire.UNSET) -> list[ModelDownloadOption]:
        """Return the forms in which it can be downloaded, one for each quantization.

        Raises:
            LMStudioServerError: The server does not know the model any more.
        """
        options = self._namespace.download_options(self._data, timeout=timeout)
        return [ModelDownloadOption(option, self._namespace) for option in options]


@speaks_lmstudio
class Repository(repository.Repository):
    """The namespace ``repository``: lmwire's own methods, and the official one."""

    def search_models(
        self,
        search_term: str | None = None,
        limit: int | None = None,
        compatibility_types: Iterable[ModelCompatibilityType] | None = None,
        *,
        timeout: Timeout = lmwire.UNSET,
    ) -> list[AvailableModel]:
        """Search the models that can be downloaded, in the catalogue and on Hugging Face; of the three arguments at
        least one is needed.

        Args:
            search_term: Words to look for.
            limit: How many, 1 to 25.
            compatibility_types: Formats such as gguf and safetensors; by default all that the server can run.
            timeout: Seconds to wait, None for no limit; by default the client's.

        Raises:
            LMStudioValueError: No argument is given, or one is wrong; nothing was sent.
            LMStudioServerError: The server reports a failure.
        """
        term, limit, formats = _wanted(search_term, limit, compatibility_types)
        found = self.search(term, limit=limit, formats=formats, timeout=timeout)
        return [AvailableModel(model, self) for model in found]


@speaks_lmstudio
class AsyncModelDownloadOption(_Option[repository.AsyncRepository]):
    """One of the forms in which a model can be downloaded, for asyncio."""

    async def download(
        self,
        on_progress: DownloadProgressCallback | None = None,
        on_finalize: DownloadFinalizedCallback | None = None,
        *,
        timeout: Timeout = lmwire.UNSET,
    ) -> str:
        """Download it to the server's disk; everything is as with ``ModelDownloadOption.download``."""
        return await self._namespace.download(
            self._data, on_progress=on_progress, on_finalizing=on_finalize, timeout=timeout
        )


@speaks_lmstudio
class AsyncAvailableModel(_Model[repository.AsyncRepository]):
    """A model that can be downloaded, for asyncio."""

    async def get_download_options(
        self, *, timeout: Timeout = lmwire.UNSET
    ) -> list[AsyncModelDownloadOption]:
        """Return the forms in which it can be downloaded, one for each quantization."""
        options = await self._namespace.download_options(self._data, timeout=timeout)
        return [AsyncModelDownloadOption(option, self._namespace) for option in options]


@speaks_lmstudio
class AsyncRepository(repository.AsyncRepository):
    """The namespace ``repository``, for asyncio."""

    async def search_models(
        self,
        search_term: str | None = None,
        limit: int | None = None,
        compatibility_types: Iterable[ModelCompatibilityType] | None = None,
        *,
        timeout: Timeout = lmwire.UNSET,
    ) -> list[AsyncAvailableModel]:
        """Search the models that can be downloaded; everything is as with ``Repository.search_models``."""
        term, limit, formats = _wanted(search_term, limit, compatibility_types)
        found = await self.search(term, limit=limit, formats=formats, timeout=timeout)
        return [AsyncAvailableModel(model, self) for model in found]


def _wanted(term: str | None, limit: int | None, formats: Any) -> tuple[str | None, int | None, Any]:
    """Return the arguments of a search; what is empty or 0 counts as not given, as in the official SDK."""
    wanted = (term or None, limit or None, formats or None)
    if not any(wanted):
        raise lmwire.UsageError(
            "search_models needs at least one of search_term, limit and compatibility_types;"
            " `client.repository.search()` finds what is recommended"
        )
    return wanted
