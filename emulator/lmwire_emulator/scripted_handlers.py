"""Handlers that let a script answer requests of any endpoint before the real handlers, if there are any, get them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import attrs

from lmwire import UNSET
from lmwire_emulator.clock import Clock
from lmwire_emulator.endpoints import with_codecs
from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.faults import DropTheConnection, Fail, Hang
from lmwire_emulator.scripts import Answer, EndpointRule, Playlist, Refuse
from lmwire_runtime import json_codec
from lmwire_runtime.descriptors import (
    ChannelDescriptor,
    Codec,
    EndpointDescriptor,
    NamespaceDescriptor,
    RpcDescriptor,
)
from lmwire_runtime.server import ErrorReply, RequestContext, ServerChannel, WarningReply

__all__ = ["ScriptedHandlers", "taking_verbatim"]

# Kind and text of upstream's server; servers of 2025 send the text alone.
_WARNINGS: Final = {
    ("rpc", "unknown"): ("rpcEndpointUnknown", "Received rpcCall for unknown endpoint, endpoint = {name}"),
    ("rpc", "unhandled"): (
        "rpcEndpointUnhandled",
        "Received rpcCall for unhandled endpoint, endpoint = {name}",
    ),
    ("rpc", "bad_parameter"): (
        "rpcParameterTypeError",
        "Received invalid parameter for rpcCall, endpointName = {name}, parameter = {shown}",
    ),
    ("channel", "unknown"): (
        "channelEndpointUnknown",
        "Received channelCreate for unknown endpoint, endpoint = {name}",
    ),
    ("channel", "unhandled"): (
        "channelEndpointUnhandled",
        "Received channelCreate for unhandled endpoint, endpoint = {name}",
    ),
    ("channel", "bad_parameter"): (
        "channelCreationParameterTypeError",
        "Received invalid creationParameter for channel, endpointName = {name}, creationParameter = {shown}",
    ),
}

# The packets by which clients cancel, of all channels.
_CANCELS: Final = frozenset({"cancel", "cancelDownload", "cancelPlan", "discardSession", "end", "stop"})


@attrs.frozen
class _Verbatim:
    """Plain JSON that is sent as it is."""

    data: Any


def taking_verbatim(namespace: NamespaceDescriptor) -> NamespaceDescriptor:
    """Return a namespace in which a script's data are sent as they are."""
    return with_codecs(namespace, _taking_verbatim)


def _taking_verbatim(codec: Codec[Any]) -> Codec[Any]:
    return attrs.evolve(
        codec,
        encoder=lambda value: value.data if isinstance(value, _Verbatim) else codec.encoder(value),
    )


class ScriptedHandlers:
    """The handlers of a namespace, with a script in front of them.

    Args:
        namespace: Whose endpoints these are; ``taking_verbatim`` of it has to be served.
        handlers: The real handlers, None where the emulator handles nothing.
        rules: The rules for endpoints.
        clock: Waits where the script has delays.
    """

    def __init__(
        self,
        namespace: NamespaceDescriptor,
        handlers: object | None,
        rules: Playlist[EndpointRule],
        clock: Clock,
    ) -> None:
        self._endpoints = {
            endpoint.method: endpoint for endpoint in [*namespace.rpc.values(), *namespace.channel.values()]
        }
        self._handlers = handlers
        self._rules = rules
        self._clock = clock

    def __getattr__(self, method: str) -> Any:
        # Dunders and what a copy or a debugger asks for are none of the script's business.
        endpoint = self._endpoints.get(method) if not method.startswith("_") else None
        if endpoint is None:
            raise AttributeError(method)
        real = getattr(self._handlers, method, None)
        if not self._rules.mentions(functools.partial(_is_of, endpoint)):
            if real is None:
                raise AttributeError(method)
            return real
        return functools.partial(self._serve, endpoint, real)

    async def _serve(
        self, endpoint: EndpointDescriptor, real: Callable[..., Awaitable[Any]] | None, *arguments: Any
    ) -> Any:
        rule = self._rules.take(functools.partial(_is_of, endpoint))
        if rule is not None:
            return await self._answer(endpoint, rule.reply, *arguments)
        if real is None or getattr(real, "lmwire_unhandled", False):
            raise _warning(endpoint, "unhandled", arguments)
        return await real(*arguments)

    async def _answer(self, endpoint: EndpointDescriptor, answer: Answer, *arguments: Any) -> Any:
        if answer.delay:
            await self._clock.sleep(answer.delay)
        last: RequestContext | ServerChannel[Any, Any] = arguments[-1]
        if isinstance(last, ServerChannel):
            for packet in answer.packets:
                await last.send(_Verbatim(packet))
        end = answer.end
        if isinstance(end, Refuse):
            raise _warning(endpoint, end.why, arguments)
        if isinstance(end, Fail):
            raise ErrorReply.verbatim(EmulatorError.told(end.error).wire)
        if isinstance(end, DropTheConnection):
            (last.context if isinstance(last, ServerChannel) else last).abort()
        if isinstance(end, (Hang, DropTheConnection)):
            await (_given_up(last) if isinstance(last, ServerChannel) else asyncio.Event().wait())
        return _Verbatim(answer.result)


async def _given_up(channel: ServerChannel[Any, Any]) -> None:
    """Wait until the client cancels, in whichever way its channel has."""
    async for packet in channel:
        if packet.to_wire().get("type") in _CANCELS:
            return


def _is_of(endpoint: EndpointDescriptor, rule: EndpointRule) -> bool:
    return rule.endpoint == f"{endpoint.namespace}.{endpoint.name}"


def _warning(
    endpoint: EndpointDescriptor, why: Literal["unknown", "unhandled", "bad_parameter"], arguments: Any
) -> WarningReply:
    """Make the warning that a server sends to a request which it does not understand."""
    assert isinstance(endpoint, (RpcDescriptor, ChannelDescriptor)), "there are no others"
    case = ("rpc" if isinstance(endpoint, RpcDescriptor) else "channel", why)
    codec = endpoint.parameter if isinstance(endpoint, RpcDescriptor) else endpoint.creation
    parameter = codec.encode(arguments[0]) if len(arguments) > 1 else UNSET
    shown = "undefined" if parameter is UNSET else json_codec.dumps(parameter).decode()
    kind, text = _WARNINGS[case]
    return WarningReply(kind, text.format(name=endpoint.name, shown=shown))
