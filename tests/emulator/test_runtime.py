"""The namespaces ``runtime`` and ``diagnostics``, and the HTTP server of ``system``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import lmwire
from lmwire import Client, diagnostics, runtime
from lmwire_emulator import Emulator, EmulatorThread
from lmwire_emulator.downloads import STEPS

NGRAM, HASHING = "ngram-linux-x86_64-avx2", "hashing-linux-x86_64"


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread() as running:
        yield running


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[Client]:
    with Client(emulator.api_host) as connected:
        yield connected


def specifier(name: str, version: str) -> runtime.RuntimeExtensionSpecifier:
    return runtime.RuntimeExtensionSpecifier(name=name, version=version)


def installed(client: Client) -> list[tuple[str, str]]:
    return [(engine.name, engine.version) for engine in client.runtime.rpc.list_engines()]


def selections(client: Client) -> dict[str, str]:
    found = client.runtime.rpc.get_engine_selections()
    return {name: f"{engine.name} {engine.version}" for name, engine in found}


def download(client: Client, name: str, version: str, *, update: bool) -> list[Any]:
    with client.runtime.channel.download_runtime_extension(
        name=name, version=version, update_selections=update
    ) as channel:
        return list(channel)


class TestEngines:
    def test_what_is_there_at_first(self, client: Client) -> None:
        assert installed(client) == [(NGRAM, "1.0.0"), (HASHING, "1.0.0")]
        assert selections(client) == {"GGUF": f"{NGRAM} 1.0.0", "MLX": f"{HASHING} 1.0.0"}

    def test_downloaded_selected_and_removed(self, client: Client) -> None:
        told = download(client, NGRAM, "1.1.0", update=False)
        assert [packet.type for packet in told] == [
            *["downloadProgress"] * (STEPS + 1),
            "startFinalizing",
            "success",
        ]
        assert selections(client)["GGUF"] == f"{NGRAM} 1.0.0"
        client.runtime.rpc.select_engine(engine=specifier(NGRAM, "1.1.0"), model_format_name="GGUF")
        assert selections(client)["GGUF"] == f"{NGRAM} 1.1.0"
        client.runtime.rpc.remove_engine(name=NGRAM, version="1.1.0")
        assert "GGUF" not in selections(client)
        assert installed(client) == [(NGRAM, "1.0.0"), (HASHING, "1.0.0")]

    def test_selections_move_along(self, client: Client) -> None:
        download(client, NGRAM, "1.1.0", update=True)
        assert selections(client)["GGUF"] == f"{NGRAM} 1.1.0"

    def test_given_up(self) -> None:
        with EmulatorThread(seconds_per_download=600) as slow, Client(slow.api_host) as client:
            with client.runtime.channel.download_runtime_extension(
                name=NGRAM, version="1.1.0", update_selections=True
            ) as channel:
                next(channel)
                channel.cancel()
                assert not any(
                    isinstance(packet, runtime.DownloadRuntimeExtensionSuccess) for packet in channel
                )
            assert (NGRAM, "1.1.0") not in installed(client)

    def test_what_cannot_be(self, client: Client) -> None:
        rpc = client.runtime.rpc
        with pytest.raises(lmwire.RpcError, match="not installed"):
            rpc.select_engine(engine=specifier(NGRAM, "1.1.0"), model_format_name="GGUF")
        with pytest.raises(lmwire.RpcError, match="does not run MLX"):
            rpc.select_engine(engine=specifier(NGRAM, "1.0.0"), model_format_name="MLX")
        with pytest.raises(lmwire.RpcError, match="not installed"):
            rpc.remove_engine(name="none", version="1")
        with pytest.raises(lmwire.ChannelError, match="no runtime extension"):
            download(client, "none", "1", update=True)

    @pytest.mark.parametrize(
        ("query", "more", "found"),
        [
            ("", {}, 5),
            ("ngram", {}, 3),
            ("ngram:cuda", {}, 1),
            (":MLX", {}, 1),
            (":MLX", {"include_incompatible": True}, 2),
            (f"{NGRAM}@1.2.0-beta.1", {}, 1),
            ("ngram", {"channel_override": "beta"}, 4),
            ("nothing", {}, 0),
        ],
    )
    def test_search(self, client: Client, query: str, more: dict[str, Any], found: int) -> None:
        extensions = client.runtime.rpc.search_runtime_extensions(
            query=query, **{"include_incompatible": False, **more}
        ).extensions
        assert len(extensions) == found

    def test_frameworks_and_what_is_there_of_them(self, client: Client) -> None:
        search = client.runtime.rpc.search_runtime_extensions
        [framework] = search(query="cuda-runtime", include_incompatible=False).extensions
        assert isinstance(framework, runtime.DownloadableRuntimeFrameworkExtension)
        assert framework.local_versions == []
        download(client, framework.name, framework.version, update=False)
        [framework] = search(query="cuda-runtime", include_incompatible=False).extensions
        assert framework.to_wire()["localVersions"] == ["12.8.0"]
        assert framework.to_wire()["name"] not in dict(installed(client))

    @pytest.mark.parametrize(
        ("scope", "names"),
        [
            (None, [NGRAM, HASHING]),
            (runtime.RuntimeHardwareSurveyScopeSelected(), [NGRAM, HASHING]),
            (runtime.RuntimeHardwareSurveyScopeAll(), [NGRAM, HASHING]),
            (runtime.RuntimeHardwareSurveyScopeCustom(engines=[specifier(HASHING, "1.0.0")]), [HASHING]),
        ],
        ids=["void", "selected", "all", "custom"],
    )
    def test_hardware(self, client: Client, scope: Any, names: list[str]) -> None:
        survey = client.runtime.rpc.survey_hardware(scope)
        assert survey.status == "ok"
        assert [engine.name for engine in survey.engines] == names
        assert {engine.compatibility.status for engine in survey.engines} == {"compatible"}

    def test_hardware_for_an_engine_that_needs_a_gpu(self, client: Client) -> None:
        cuda = specifier("ngram-linux-x86_64-cuda", "1.1.0")
        download(client, cuda.name, cuda.version, update=False)
        [engine] = client.runtime.rpc.survey_hardware(
            runtime.RuntimeHardwareSurveyScopeCustom(engines=[cuda])
        ).engines
        assert engine.compatibility.status == "gpuRequiredButNoneFound"


class TestLogs:
    def test_predictions_are_told(self, client: Client) -> None:
        model = client.llm.model()
        with client.diagnostics.channel.stream_logs() as logs:
            # The channel is open once the server has answered something that was asked later.
            client.diagnostics.connection.keep_alive()
            text = model.complete("My name is", config={"maxTokens": 5, "temperature": 0}).content
            first, second = (logs.receive().to_wire()["log"] for _ in range(2))
        assert first["data"] == {
            "type": "llm.prediction.input",
            "input": "My name is",
            "modelPath": "emulator/ngram-small-GGUF/ngram-small-Q8_0.gguf",
            "modelIdentifier": EmulatorThread.default_model_key,
        }
        assert (second["data"]["type"], second["data"]["output"]) == ("llm.prediction.output", text)
        assert second["data"]["stats"]["predictedTokensCount"] == 5
        assert first["timestamp"] <= second["timestamp"]

    def test_every_listener_hears_what_comes_after_it(self, client: Client) -> None:
        with client.diagnostics.channel.stream_logs() as early:
            client.diagnostics.connection.keep_alive()
            client.system.rpc.start_http_server(port=4321)
            with client.diagnostics.channel.stream_logs() as late:
                client.diagnostics.connection.keep_alive()
                client.system.rpc.stop_http_server()
                told = [early.receive(), early.receive(), late.receive()]
        assert [log.to_wire()["log"]["data"]["content"] for log in told] == [
            "HTTP server listening on port 4321",
            "HTTP server stopped",
            "HTTP server stopped",
        ]

    def test_the_server_closes_after_a_stop(self, client: Client) -> None:
        with client.diagnostics.channel.stream_logs() as logs:
            logs.send(diagnostics.StreamLogsStop())
            assert list(logs) == []


def test_the_http_server(client: Client) -> None:
    rpc = client.system.rpc
    with pytest.raises(lmwire.RpcError, match="not running"):
        rpc.stop_http_server()
    rpc.start_http_server()
    rpc.stop_http_server()
    with pytest.raises(lmwire.RefusedRequestError, match="port"):
        rpc.start_http_server(port=65_536)


def test_every_endpoint_but_those_of_plugins_is_answered() -> None:
    """A host of plugins runs other people's programs: that is no part of an emulator."""
    for namespace in Emulator().namespaces:
        endpoints = [*namespace.descriptor.rpc.values(), *namespace.descriptor.channel.values()]
        answered = {namespace.handled(endpoint) for endpoint in endpoints}
        assert answered == {namespace.descriptor.name != "plugins"}
