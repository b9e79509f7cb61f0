"""A server whose channels play packets from a list, and whose calls answer from a table: for ends no emulator makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lmwire import diagnostics, files, repository, runtime, system
from lmwire_runtime.descriptors import ChannelDescriptor, RpcDescriptor
from lmwire_runtime.server import Namespace, Server
from lmwire_runtime.server_handlers import ErrorReply
from tests.runtime.arithmetic import RunningServer
from tests.surface.conftest import Frames
from tests.surface.shells import Shell

__all__ = ["CLOSE", "ERROR", "HANG", "LOSE", "STOPPED", "Lab"]

CLOSE: Final = "close"
HANG: Final = "hang"
STOPPED: Final = "stopped"
ERROR: Final = "error"
LOSE: Final = "lose"
"""How a channel goes on after its packets: it is closed, says nothing more, is closed once the client has sent
something, fails, or loses its connection.
"""

_PARTS: Final[Mapping[str, Any]] = {
    "diagnostics": diagnostics, "files": files, "repository": repository, "runtime": runtime, "system": system,
}  # fmt: skip


class Lab:
    """The server, a client of it behind one of the shells, and a record of the frames.

    Attributes:
        plays: Endpoint -> the packets of its channels, in plain JSON, and then how each goes on.
        answers: Endpoint -> the result of calls, in plain JSON.
    """

    def __init__(self, shell: Shell, **options: Any) -> None:
        self.shell = shell
        self.frames = Frames()
        self.plays: dict[str, list[Any]] = {}
        self.answers: dict[str, Any] = {}
        self._server = RunningServer(self._make)
        self.host = self._server.host
        self.client = shell.client(self.host, **options)

    def _make(self, **hooks: Any) -> Server:
        return Server([_namespace(part, self) for part in _PARTS.values()], on_frame=self.frames, **hooks)

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method such as ``files.upload``."""
        namespace, _, name = method.partition(".")
        return self.shell.call(getattr(getattr(self.client, namespace), name), *arguments, **options)

    def sent_parameter(self, endpoint: str) -> Any:
        """Return the parameter of the last request to an endpoint; ``"void"`` if it had none."""
        frames = [frame for _, frame in self.frames.seen if frame.get("endpoint") == endpoint]
        return frames[-1].get("parameter", frames[-1].get("creationParameter", "void"))

    def close(self) -> None:
        self.shell.call(self.client.close)
        self._server.close()


def _namespace(part: Any, lab: Lab) -> Namespace:
    """Serve every endpoint of a namespace from the lab's tables."""

    def caller(descriptor: RpcDescriptor[Any, Any]) -> Any:
        def answer() -> Any:
            if descriptor.result.presence == "void":
                return None
            return descriptor.result.decode(lab.answers[descriptor.name])

        async def with_parameter(self: Any, parameter: Any, context: Any) -> Any:
            return answer()

        async def without(self: Any, context: Any) -> Any:
            return answer()

        return without if descriptor.parameter.presence == "void" else with_parameter

    def player(descriptor: ChannelDescriptor[Any, Any, Any]) -> Any:
        async def play(channel: Any) -> None:
            *packets, end = lab.plays[descriptor.name]
            for packet in packets:
                await channel.send(descriptor.to_client.decode(packet))
            if end == ERROR:
                raise ErrorReply("the Hub is on fire")
            if end == LOSE:
                channel.context.abort()
            if end != CLOSE:
                async for _ in channel:
                    if end == STOPPED:
                        return

        async def with_creation(self: Any, creation: Any, channel: Any) -> None:
            await play(channel)

        async def without(self: Any, channel: Any) -> None:
            await play(channel)

        return without if descriptor.creation.presence == "void" else with_creation

    descriptor = part.NAMESPACE
    methods = {known.method: caller(known) for known in descriptor.rpc.values()}
    methods |= {known.method: player(known) for known in descriptor.channel.values()}
    return Namespace(descriptor, type("Handlers", (), methods)())
