"""A client of each revision talks to a server of each revision: list models, load one, complete a text.

Both are the bindings that the compiler makes of the revisions; the server's handlers answer with samples of its own
schema, as full as can be. Lenient decoding has to do the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lmwire_codegen.load import load
from lmwire_codegen.problems import Location
from lmwire_codegen.samples import Sampler
from lmwire_runtime.server import Namespace, Server
from tests.codegen.revisions import NAMES, Revision
from tests.runtime.arithmetic import RunningServer
from tests.support.requirements import requires

pytestmark = requires("revisions")

TEXT = ("My name", " is", " lmwire.")


class Samples:
    """Full samples of what a revision's server sends."""

    def __init__(self, revision: Revision) -> None:
        folder = load(revision.schema)
        self._sampler = Sampler(folder.documents, folder.repairs)

    def result(self, name: str) -> Any:
        """The fullest result of an rpc of ``llm``."""
        return self._fullest(f"/rpc/{name}/result", lambda sample: True)

    def packet(self, name: str, tag: str) -> Any:
        """The fullest packet of a channel of ``llm``."""
        return self._fullest(f"/channel/{name}/toClient", lambda sample: sample["type"] == tag)

    def _fullest(self, pointer: str, wanted: Callable[[Any], bool]) -> Any:
        samples = self._sampler.samples(Location("wire/namespaces/llm.json", pointer))
        return max(filter(wanted, samples), key=lambda sample: len(str(sample)))


def handlers_of(revision: Revision) -> Any:
    """Scripted handlers of ``llm``, made of the revision's own classes."""
    llm, samples = revision.module("llm"), Samples(revision)
    infos = samples.result("listLoaded")

    async def complete(descriptor: Any, channel: Any) -> None:
        for fragment in TEXT:
            packet = samples.packet(descriptor.name, "fragment")
            packet["fragment"]["content"] = fragment
            await channel.send(descriptor.to_client.decode(packet))
        await channel.send(descriptor.to_client.decode(samples.packet(descriptor.name, "success")))

    class Handlers(llm.LlmHandlers):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.asked: list[str] = []

        async def list_loaded(self, context: Any) -> Any:
            return llm.LIST_LOADED.result.decode(infos)

        async def get_or_load(self, creation: Any, channel: Any) -> None:
            packet = samples.packet("getOrLoad", "alreadyLoaded")
            await channel.send(llm.GET_OR_LOAD.to_client.decode(packet))

        async def predict(self, creation: Any, channel: Any) -> None:
            self.asked.append("predict")
            await complete(llm.PREDICT, channel)

    async def complete_raw_text(self: Any, creation: Any, channel: Any) -> None:
        self.asked.append("completeRawText")
        await complete(llm.COMPLETE_RAW_TEXT, channel)

    if "completeRawText" in llm.NAMESPACE.channel:
        Handlers.complete_raw_text = complete_raw_text
    return Handlers()


@pytest.fixture(scope="module")
def servers(revisions: Callable[[str], Revision]) -> Iterator[Callable[[str], tuple[RunningServer, Any]]]:
    """Gives a running server of a revision, and its handlers."""
    running: dict[str, tuple[RunningServer, Any]] = {}

    def get(name: str) -> tuple[RunningServer, Any]:
        if name not in running:
            revision = revisions(name)
            handlers, descriptor = handlers_of(revision), revision.module("llm").NAMESPACE

            def make(**hooks: Any) -> Server:
                return Server([Namespace(descriptor, handlers)], **hooks)

            running[name] = RunningServer(make), handlers
        return running[name]

    yield get
    for server, _ in running.values():
        server.close()


@pytest.mark.parametrize("server_name", NAMES)
@pytest.mark.parametrize("client_name", NAMES)
def test_a_client_of_one_revision_and_a_server_of_another(
    client_name: str, server_name: str, revisions: Callable[[str], Revision], servers: Any
) -> None:
    bindings = revisions(client_name).module()
    server, handlers = servers(server_name)
    handlers.asked.clear()
    with bindings.Client(server.host) as client:
        loaded = client.llm.rpc.list_loaded()
        assert [type(info).__module__.partition(".")[0] for info in loaded] == [bindings.__name__] * len(
            loaded
        )
        assert loaded[0].identifier
        stream = client.llm.model("a").complete_stream("My name")
        assert "".join(map(str, stream)) == "".join(TEXT)
        assert stream.result().stats.stop_reason
    raw = [name for name in (client_name, server_name) if _has_raw(revisions(name))]
    assert handlers.asked == (["completeRawText"] if len(raw) == 2 else ["predict"])


def _has_raw(revision: Revision) -> bool:
    return "completeRawText" in revision.module("llm").NAMESPACE.channel
