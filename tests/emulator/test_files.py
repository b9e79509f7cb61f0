"""The namespace ``files``: uploads, texts of documents, retrieval with all that is told on the way."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

import lmwire
from lmwire import Client, files
from lmwire.types.kv_config import KvConfig, KvConfigField
from lmwire_emulator import EmulatorThread

CATS = "\n".join(f"Line {number}: a cat sat on the mat." for number in range(1, 200))
SHIPS = "Ships sail across the wide oceans.\n\nThe harbour lies in the north, and its lighthouse is old."
NO_CONFIG = KvConfig(fields=[])


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with EmulatorThread() as emulator, Client(emulator.api_host) as connected:
        yield connected


def upload(client: Client, name: str, content: bytes | str) -> files.UploadFileBase64Result:
    data = content if isinstance(content, bytes) else content.encode()
    return client.files.rpc.upload_file_base64(name=name, content_base64=base64.b64encode(data).decode())


@pytest.mark.parametrize(
    ("name", "content", "file_type"),
    [
        ("notes.txt", b"text", "text/plain"),
        ("no suffix", b"text", "text/plain"),
        ("empty.txt", b"", "text/plain"),
        ("bom.txt", b"\xef\xbb\xbftext", "text/plain"),
        ("program.py", b"print()", "text/other"),
        ("photo.jpg", b"\xff\xd8\xff\xe0rest", "image"),
        ("not what it says.txt", b"\x89PNG\r\n\x1a\nrest", "image"),
        ("paper.pdf", b"%PDF-1.7", "application/pdf"),
        ("letter.docx", b"PK\x03\x04rest", "application/word"),
        ("archive.zip", b"PK\x03\x04rest", "unknown"),
        ("bytes.bin", b"\x80\x81", "unknown"),
        ("zero.txt", b"a\0b", "unknown"),
    ],
)
def test_types_of_files(client: Client, name: str, content: bytes, file_type: str) -> None:
    stored = upload(client, name, content)
    assert (stored.file_type, stored.size_bytes) == (file_type, len(content))
    assert upload(client, name, content).identifier == stored.identifier


@pytest.mark.parametrize("name", ["../../etc/passwd.txt", "C:\\Windows\\x.txt", "a\0b.txt", "\udc80.txt", ""])
def test_names_do_not_get_into_identifiers(client: Client, name: str) -> None:
    identifier = upload(client, name, "text").identifier
    assert identifier.removesuffix(".txt").isalnum()
    path = client.files.rpc.get_local_file_absolute_path(file_name=identifier).path
    assert path.endswith(f"/{identifier}")


def test_what_is_no_base64(client: Client) -> None:
    with pytest.raises(lmwire.RpcError, match="not base64"):
        client.files.rpc.upload_file_base64(name="x.txt", content_base64="!!")


@pytest.mark.parametrize("name", ["no-such-file", "../../etc/passwd"])
def test_files_that_are_not_there(client: Client, name: str) -> None:
    for ask in (
        lambda: client.files.rpc.get_local_file_absolute_path(file_name=name),
        lambda: client.files.rpc.get_document_parsing_library(file_identifier=name),
        lambda: packets(client, file_identifiers=[name], query="x", config=NO_CONFIG),
    ):
        with pytest.raises(lmwire.RemoteError, match="Cannot find a file"):
            ask()


class TestParsing:
    def test_a_text(self, client: Client) -> None:
        identifier = upload(client, "cats.md", CATS).identifier
        library = client.files.rpc.get_document_parsing_library(file_identifier=identifier)
        with client.files.channel.parse_document(
            file_identifier=identifier, parse_opts=files.DocumentParsingOpts()
        ) as channel:
            told: list[Any] = list(channel)
        assert [packet.type for packet in told] == ["parserLoaded", *["progress"] * 3, "result"]
        result = told[-1]
        assert isinstance(result, files.ParseDocumentResult)
        assert result.content == CATS
        assert (result.parser.library, result.parser.version) == (library.library, library.version)

    def test_what_no_parser_reads(self, client: Client) -> None:
        identifier = upload(client, "paper.pdf", b"%PDF-1.7").identifier
        with pytest.raises(lmwire.RpcError, match=r"No parser reads paper\.pdf"):
            client.files.rpc.get_document_parsing_library(file_identifier=identifier)

    def test_a_parser_that_there_is_not(self, client: Client) -> None:
        identifier = upload(client, "cats.md", CATS).identifier
        wanted = files.DocumentParsingLibraryIdentifier(library="other", version="2")
        channel = client.files.channel.parse_document(
            file_identifier=identifier, parse_opts=files.DocumentParsingOpts(parser_id=wanted)
        )
        with pytest.raises(lmwire.ChannelError, match="no parser other 2"):
            list(channel)


def packets(client: Client, **creation: Any) -> list[Any]:
    with client.files.channel.retrieve(**creation) as channel:
        return list(channel)


def config(**values: Any) -> KvConfig:
    return KvConfig(
        fields=[KvConfigField(key=f"retrieval.{key}", value=value) for key, value in values.items()]
    )


class TestRetrieval:
    @pytest.fixture
    def two_files(self, client: Client) -> list[str]:
        return [
            upload(client, name, text).identifier for name, text in (("cats.md", CATS), ("ships.txt", SHIPS))
        ]

    def test_passages_that_a_question_is_about(self, client: Client, two_files: list[str]) -> None:
        result = packets(
            client,
            query="Where is the old lighthouse of the harbour?",
            file_identifiers=two_files,
            config=config(
                limit=2, chunkingMethod={"type": "recursive-v1", "chunkSize": 12, "chunkOverlap": 2}
            ),
        )[-1].result
        best, second = result.entries
        assert best.score >= second.score >= 0
        assert best.source_index == 1
        assert "lighthouse" in best.content
        assert best.line_number == (3, 3)

    def test_what_is_told_on_the_way(self, client: Client, two_files: list[str]) -> None:
        told = [
            packet.type for packet in packets(client, query="x", file_identifiers=two_files, config=NO_CONFIG)
        ]
        step = ["onFileProcessingStepStart", *["onFileProcessingStepProgress"] * 2, "onFileProcessingStepEnd"]
        file = ["onFileProcessingStart", *step * 3, "onFileProcessingEnd"]
        assert told == ["onFileProcessList", *file * 2, "onSearchingStart", "onSearchingEnd", "result"]

    def test_without_files(self, client: Client) -> None:
        told = packets(client, query="x", file_identifiers=[], config=NO_CONFIG)
        assert told[-1].result.entries == []

    def test_settings_that_make_no_sense_count_as_not_made(
        self, client: Client, two_files: list[str]
    ) -> None:
        odd = config(limit=-1, chunkingMethod={"chunkSize": 0, "chunkOverlap": "x"}, embeddingModel="")
        found = packets(client, query="x", file_identifiers=two_files, config=odd)[-1].result.entries
        assert 1 < len(found) <= 5

    def test_an_embedding_model_that_is_not_loaded(self, client: Client, two_files: list[str]) -> None:
        with pytest.raises(lmwire.ChannelError):
            packets(client, query="x", file_identifiers=two_files, config=config(embeddingModel="none"))

    def test_stopping(self, client: Client, two_files: list[str]) -> None:
        """The server closes the channel, without a result; the connection goes on."""
        many = two_files * 50
        with client.files.channel.retrieve(query="x", file_identifiers=many, config=NO_CONFIG) as channel:
            assert isinstance(next(channel), files.RetrieveOnFileProcessList)
            channel.cancel()
            assert not any(isinstance(packet, files.RetrieveResult) for packet in channel)
        assert upload(client, "x.txt", "x").size_bytes == 1
