"""The namespace ``files``: uploads, texts of documents, and retrieval: the passages that a question is about."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lmwire import UNSET, files
from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.clock import Clock
from lmwire_emulator.engines.embedding import HashingEngine
from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.file_store import FileStore, Passage, StoredFile, passages
from lmwire_emulator.model_handlers import cancelled_by, taken
from lmwire_emulator.models import LoadedModel
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.wire_values import error_replies
from lmwire_runtime.server import RequestContext, ServerChannel

__all__ = ["EmulatedFiles"]

# The one parser that there is: it takes a text for what it is.
_PARSER: Final = ("emulator-text", "1.0.0")
_FOLDER: Final = "/emulated/user-files"
# What holds where the config says nothing: size and overlap of passages, number of results.
_SIZE: Final = 512
_OVERLAP: Final = 100
_LIMIT: Final = 5

Sent = ServerChannel[files.RetrieveToServer, files.RetrieveToClient]


class EmulatedFiles(files.FilesHandlers):
    """Handlers on the uploaded files, and on the registry for the embedding model that retrieval needs."""

    def __init__(
        self, registry: ModelRegistry, engine: HashingEngine, clock: Clock, store: FileStore | None = None
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._clock = clock
        self.store = FileStore() if store is None else store

    async def upload_file_base64(
        self, parameter: files.UploadFileBase64Parameter, context: RequestContext
    ) -> files.UploadFileBase64Result:
        with error_replies():
            file = self.store.add(parameter.name, parameter.content_base64)
        return files.UploadFileBase64Result(
            identifier=file.identifier, file_type=file.file_type, size_bytes=len(file.content)
        )

    async def get_local_file_absolute_path(
        self, parameter: files.GetLocalFileAbsolutePathParameter, context: RequestContext
    ) -> files.GetLocalFileAbsolutePathResult:
        # Only of files that there are: nobody learns anything of the disk.
        with error_replies():
            file = self.store.find(parameter.file_name)
        return files.GetLocalFileAbsolutePathResult(path=f"{_FOLDER}/{file.identifier}")

    async def get_document_parsing_library(
        self, parameter: files.GetDocumentParsingLibraryParameter, context: RequestContext
    ) -> files.GetDocumentParsingLibraryResult:
        with error_replies():
            library, version = _parser_of(self.store.find(parameter.file_identifier))
        return files.GetDocumentParsingLibraryResult(library=library, version=version)

    async def parse_document(
        self,
        creation: files.ParseDocumentCreation,
        channel: ServerChannel[files.ParseDocumentToServer, files.ParseDocumentToClient],
    ) -> None:
        async with cancelled_by(channel) as cancellation:
            file = self.store.find(creation.file_identifier)
            wanted = creation.parse_opts.parser_id
            known = _parser_of(file)
            if wanted is not UNSET and (wanted.library, wanted.version) != known:
                raise EmulatorError(
                    f"There is no parser {wanted.library} {wanted.version}",
                    suggestion=f"Leave it out, or ask for {known[0]} {known[1]}.",
                )
            parser = files.DocumentParsingLibraryIdentifier(library=known[0], version=known[1])
            await channel.send(files.ParseDocumentParserLoaded(parser=parser))
            for progress in (0.0, 0.5, 1.0):
                if not await cancellation.pause(self._clock, 0):
                    return
                await channel.send(files.ParseDocumentProgress(progress=progress))
            await channel.send(files.ParseDocumentResult(content=file.text, parser=parser))

    async def retrieve(self, creation: files.RetrieveCreation, channel: Sent) -> None:
        async with cancelled_by(channel) as cancellation:
            config = {field.key: field.value for field in creation.config.fields}
            found = [self.store.find(identifier) for identifier in creation.file_identifiers]
            for file in found:
                _parser_of(file)
            instance = await self._embedding_model(config.get("retrieval.embeddingModel"), cancellation)
            await channel.send(files.RetrieveOnFileProcessList(indices=list(range(len(found)))))
            known: list[tuple[float, int, Passage]] = []
            query = self._engine.embed(creation.query, instance.context_length)
            for index, file in enumerate(found):
                cut = passages(file.text, *_chunking(config))
                if not await self._process(index, channel, cancellation):
                    return
                for passage in cut:
                    vector = self._engine.embed(passage.text, instance.context_length)
                    known.append((passage.likeness(query, vector), index, passage))
            await channel.send(files.RetrieveOnSearchingStart())
            entries = [
                files.InternalRetrievalResultEntry(
                    content=passage.text,
                    score=score,
                    source_index=index,
                    line_number=(passage.first_line, passage.last_line),
                )
                for score, index, passage in heapq.nlargest(_limit(config), known, key=lambda one: one[0])
            ]
            await channel.send(files.RetrieveOnSearchingEnd())
            await channel.send(files.RetrieveResult(result=files.InternalRetrievalResult(entries=entries)))

    async def _process(self, index: int, channel: Sent, cancellation: Cancellation) -> bool:
        """Tell how one file is processed; returns whether to go on."""
        for packet in _processing(index):
            if not await cancellation.pause(self._clock, 0):
                return False
            await channel.send(packet)
        return True

    async def _embedding_model(self, identifier: Any, cancellation: Cancellation) -> LoadedModel:
        """Return the embedding model that was named, or else any, which is loaded if none is."""
        query = {"identifier": identifier} if isinstance(identifier, str) and identifier else {}
        if not query and not self._registry.loaded("embedding"):
            downloaded = [model for model in self._registry.downloaded if model.domain == "embedding"]
            if downloaded:
                load = self._registry.get_or_load(
                    downloaded[0].model_key, "embedding", cancellation=cancellation
                )
                async for _ in taken(load):
                    pass
        return self._registry.resolve(query, "embedding")


def _parser_of(file: StoredFile) -> tuple[str, str]:
    """Return library and version of what reads a file.

    Raises:
        EmulatorError: Nothing does.
    """
    if file.is_text:
        return _PARSER
    raise EmulatorError(
        f"No parser reads {file.name}",
        cause=f"It is of the type {file.file_type}; the emulator reads texts in UTF-8 only.",
    )


def _processing(index: int) -> Iterator[files.RetrieveToClient]:
    yield files.RetrieveOnFileProcessingStart(index=index)
    steps: tuple[files.RetrievalFileProcessingStep, ...] = ("loading", "chunking", "embedding")
    for step in steps:
        yield files.RetrieveOnFileProcessingStepStart(index=index, step=step)
        for progress in (0.0, 1.0):
            yield files.RetrieveOnFileProcessingStepProgress(index=index, step=step, progress=progress)
        yield files.RetrieveOnFileProcessingStepEnd(index=index, step=step)
    yield files.RetrieveOnFileProcessingEnd(index=index)


def _chunking(config: Mapping[str, Any]) -> tuple[int, int]:
    """Return size and overlap of passages, in words; what makes no sense counts as not said."""
    method = config.get("retrieval.chunkingMethod")
    given = method if isinstance(method, dict) else {}
    size, overlap = given.get("chunkSize", _SIZE), given.get("chunkOverlap", _OVERLAP)
    if type(size) is int and type(overlap) is int and 0 <= overlap < size:
        return size, overlap
    return _SIZE, _OVERLAP


def _limit(config: Mapping[str, Any]) -> int:
    limit = config.get("retrieval.limit")
    return limit if type(limit) is int and limit > 0 else _LIMIT
