"""The server's end of one connection, without I/O: parsed frames in, events and frames out.

What a bad frame gets is what upstream's own server gives it: an invalid parameter, an unknown or unhandled
endpoint and an id that is already open get one ``communicationWarning`` without an id, at most five for each
connection; frames that are not understood at all are dropped without a word. Unlike upstream's, no input
makes it raise. Order of checks for a request: endpoint known, handler present, id free, parameter valid.

A channel is open from its ``channelCreate`` until the server's one terminal frame; call ids are not tracked,
as upstream does not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from lmwire_runtime.descriptors import (
    ChannelDescriptor,
    Codec,
    EndpointDescriptor,
    NamespaceDescriptor,
    RpcDescriptor,
    SignalDescriptor,
)
from lmwire_runtime.exchanges import is_id
from lmwire_runtime.json_codec import shown
from lmwire_runtime.server_signals import ServerSignals, SubscriptionReceived
from lmwire_runtime.session import WARNING_LIMIT
from lmwire_runtime.wire import UNSET, DecodeError, Decoding, WarningSink

__all__ = [
    "AckReceived",
    "AuthenticationAttempt",
    "CallReceived",
    "ChannelCreated",
    "ChannelEvent",
    "ServerEvent",
    "ServerSession",
]

logger = logging.getLogger("lmwire.server")

# Identifier and passkey may have this many characters.
CREDENTIAL_LENGTH: Final = 256


@attrs.frozen
class AuthenticationAttempt:
    """A well-formed authentication packet; answer with ``accept`` or ``refuse``."""

    identifier: str
    passkey: str = attrs.field(repr=False)


@attrs.frozen
class CallReceived:
    """A call to run; answer with ``answer_call`` or ``fail_call``."""

    descriptor: RpcDescriptor[Any, Any]
    call_id: int
    parameter: Any


@attrs.frozen
class ChannelCreated:
    """A channel to serve; end it with ``close_channel`` or ``fail_channel``."""

    descriptor: ChannelDescriptor[Any, Any, Any]
    channel_id: int
    creation: Any


@attrs.frozen
class ChannelEvent:
    """A packet from the client for an open channel."""

    channel_id: int
    packet: Any


@attrs.frozen
class AckReceived:
    """The client has received the packet that was sent with this ``ackId``."""

    channel_id: int
    ack_id: int


ServerEvent: TypeAlias = (
    AuthenticationAttempt | CallReceived | ChannelCreated | ChannelEvent | AckReceived | SubscriptionReceived
)


class ServerSession:
    """See the module docstring. Outgoing frames are appended to ``outgoing``; the shell sends and clears them."""

    def __init__(
        self,
        namespace: NamespaceDescriptor,
        *,
        handled: Callable[[EndpointDescriptor], bool],
        warning_kinds: bool = True,
    ) -> None:
        """``handled`` says whether there is a handler; ``warning_kinds=False`` leaves ``kind`` out, as
        servers before 2026-03 did.
        """
        self.namespace = namespace
        self.authenticated = False
        self.refused = False
        self.outgoing: list[dict[str, Any]] = []
        self.warnings_sent = 0
        self._handled = handled
        self._warning_kinds = warning_kinds
        self.decoding = Decoding(strict=True, extra_keys=True, sink=WarningSink(logger.debug))
        self._channels: dict[int, ChannelDescriptor[Any, Any, Any]] = {}
        self.signals = ServerSignals(self)
        self._handlers: dict[str, Callable[[dict[str, Any]], ServerEvent | None]] = {
            "rpcCall": self._on_call,
            "channelCreate": self._on_channel_create,
            "channelSend": self._on_channel_send,
            "channelAck": self._on_channel_ack,
            "keepAlive": self._on_keep_alive,
            "communicationWarning": self._on_warning,
            "signalSubscribe": self.signals.on_subscribe,
            "writableSignalSubscribe": self.signals.on_subscribe,
            "writableSignalUpdate": self.signals.on_update,
            "signalUnsubscribe": self.signals.on_unsubscribe,
            "writableSignalUnsubscribe": self.signals.on_unsubscribe,
        }

    # What the client sends.

    def receive(self, frame: Any) -> ServerEvent | None:
        """Take one parsed frame; returns what the shell has to do about it, if anything."""
        if type(frame) is not dict:
            return None
        if not self.authenticated:
            return self._on_authentication(frame)
        kind = frame.get("type")
        handler = self._handlers.get(kind) if isinstance(kind, str) else None
        if handler is None:
            logger.debug("%s: frame of type %r dropped", self.namespace.name, kind)
            return None
        return handler(frame)

    def _on_authentication(self, frame: dict[str, Any]) -> ServerEvent | None:
        identifier, passkey = frame.get("clientIdentifier"), frame.get("clientPasskey")
        if (
            self.refused
            or _integer(frame.get("authVersion")) != 1
            or type(identifier) is not str
            or type(passkey) is not str
        ):
            return None
        if len(identifier) > CREDENTIAL_LENGTH or len(passkey) > CREDENTIAL_LENGTH:
            return None
        return AuthenticationAttempt(identifier, passkey)

    def _on_call(self, frame: dict[str, Any]) -> ServerEvent | None:
        call_id = _integer(frame.get("callId"))
        if call_id is None:
            return None
        descriptor = self.endpoint_in(frame, "rpc", self.namespace.rpc)
        if descriptor is None:
            return None
        parameter = self._decode(
            descriptor, descriptor.parameter, frame, "parameter", "rpcParameterTypeError"
        )
        return None if parameter is _INVALID else CallReceived(descriptor, call_id, parameter)

    def _on_channel_create(self, frame: dict[str, Any]) -> ServerEvent | None:
        channel_id = _integer(frame.get("channelId"))
        if channel_id is None:
            return None
        descriptor = self.endpoint_in(frame, "channel", self.namespace.channel)
        if descriptor is None:
            return None
        if channel_id in self._channels:
            text = f"Received channelCreate for already open channel, channelId = {channel_id}"
            self.warn("channelAlreadyOpen", text)
            return None
        kind = "channelCreationParameterTypeError"
        creation = self._decode(descriptor, descriptor.creation, frame, "creationParameter", kind)
        if creation is _INVALID:
            return None
        self._channels[channel_id] = descriptor
        return ChannelCreated(descriptor, channel_id, creation)

    def _on_channel_send(self, frame: dict[str, Any]) -> ServerEvent | None:
        channel_id = _integer(frame.get("channelId"))
        if channel_id is None or _integer(frame.get("ackId", 0)) is None:
            return None
        descriptor = self._channels.get(channel_id)
        if descriptor is None:
            self.warn("channelUnknown", f"Received channelSend for unknown channel, channelId = {channel_id}")
            return None
        packet = self._decode(descriptor, descriptor.to_server, frame, "message", "channelMessageTypeError")
        if packet is _INVALID:
            return None
        if (
            "ackId" in frame
        ):  # upstream's server never acknowledges, but no client of upstream's asks for it either
            self.outgoing.append({"type": "channelAck", "channelId": channel_id, "ackId": frame["ackId"]})
        return ChannelEvent(channel_id, packet)

    def _on_channel_ack(self, frame: dict[str, Any]) -> ServerEvent | None:
        channel_id, ack_id = _integer(frame.get("channelId")), _integer(frame.get("ackId"))
        if channel_id is None or ack_id is None:
            return None
        if channel_id not in self._channels:
            self.warn("channelUnknown", f"Received channelAck for unknown channel, channelId = {channel_id}")
            return None
        return AckReceived(channel_id, ack_id)

    def _on_keep_alive(self, frame: dict[str, Any]) -> ServerEvent | None:
        self.outgoing.append({"type": "keepAliveAck"})
        return None

    def _on_warning(self, frame: dict[str, Any]) -> ServerEvent | None:
        logger.warning("%s: the client warns: %s", self.namespace.name, str(frame.get("warning"))[:500])
        return None

    # What the server does.

    def accept(self) -> None:
        """Accept the authentication attempt."""
        self.authenticated = True
        self.outgoing.append({"success": True})

    def refuse(self, error: str) -> None:
        """Refuse it; the shell closes the connection after sending this."""
        self.refused = True
        self.outgoing.append({"success": False, "error": error})

    def answer_call(self, call: CallReceived, result: Any) -> None:
        """Answer a call; ``result`` is the typed value, None for void."""
        frame: dict[str, Any] = {"type": "rpcResult", "callId": call.call_id}
        encoded = call.descriptor.result.encode(result)
        if encoded is not UNSET:
            frame["result"] = encoded
        self.outgoing.append(frame)

    def fail_call(self, call: CallReceived, error: Any) -> None:
        """Answer a call with an error object (or, as odd servers do, with something else)."""
        self.outgoing.append({"type": "rpcError", "callId": call.call_id, "error": error})

    def send_packet(self, channel_id: int, packet: Any, ack_id: int | None = None) -> bool:
        """Send a typed packet, asking for an acknowledgement if it has an ``ack_id``.

        Returns False if the channel has ended.
        """
        descriptor = self._channels.get(channel_id)
        if descriptor is None:
            return False
        frame: dict[str, Any] = {"type": "channelSend", "channelId": channel_id}
        encoded = descriptor.to_client.encode(packet)
        if encoded is not UNSET:
            frame["message"] = encoded
        if ack_id is not None:
            frame["ackId"] = ack_id
        self.outgoing.append(frame)
        return True

    def close_channel(self, channel_id: int) -> None:
        """End a channel well; does nothing if it has ended."""
        if self._channels.pop(channel_id, None) is not None:
            self.outgoing.append({"type": "channelClose", "channelId": channel_id})

    def fail_channel(self, channel_id: int, error: Any) -> None:
        """End a channel with an error object; does nothing if it has ended."""
        if self._channels.pop(channel_id, None) is not None:
            self.outgoing.append({"type": "channelError", "channelId": channel_id, "error": error})

    def forget_channel(self, channel_id: int) -> None:
        """Go on as if a channel had never been made; the client hears nothing of it."""
        self._channels.pop(channel_id, None)

    def replace(self, frame: Mapping[str, Any], error: Exception) -> None:
        """Queue what stands in for a frame that JSON cannot express, so that no client waits for it.

        A packet is lost with a warning, as upstream's invalid packets are; its channel goes on.
        """
        told = {"title": "the server's data cannot be expressed in JSON", "cause": str(error)}
        kind = frame["type"]
        if kind in ("rpcResult", "rpcError"):
            self.outgoing.append({"type": "rpcError", "callId": frame["callId"], "error": told})
        elif "ignal" in kind:
            self.signals.replace(frame, told)
        elif kind == "channelError":
            self.outgoing.append({"type": kind, "channelId": frame["channelId"], "error": told})
        else:
            self.warn(
                "channelMessageTypeError",
                f"Tried to send an invalid message, channelId = {frame['channelId']}",
            )

    def warn(self, kind: str, text: str) -> None:
        """Send a warning, unless this connection has had its five."""
        logger.info("%s: %s", self.namespace.name, text[:500])
        if self.warnings_sent >= WARNING_LIMIT:
            return
        self.warnings_sent += 1
        frame = {"type": "communicationWarning", "warning": text}
        if self._warning_kinds:
            frame["kind"] = kind
        self.outgoing.append(frame)

    # Helpers.

    def endpoint_in(self, frame: dict[str, Any], kind: str, table: Mapping[str, Any]) -> Any:
        """Look an endpoint up that a frame names; None, with a warning, if it is unknown or unhandled."""
        name = frame.get("endpoint")
        if type(name) is not str:
            return None
        descriptor = table.get(name)
        if descriptor is None:
            self.warn(
                f"{kind}EndpointUnknown", f"Received {frame['type']} for unknown endpoint, endpoint = {name}"
            )
        elif not self._handled(descriptor):
            self.warn(
                f"{kind}EndpointUnhandled",
                f"Received {frame['type']} for unhandled endpoint, endpoint = {name}",
            )
            return None
        return descriptor

    def decode_creation(
        self, descriptor: SignalDescriptor[Any, Any], frame: dict[str, Any], prefix: str
    ) -> tuple[bool, Any]:
        """Decode the creation parameter of a signal; returns whether it is valid, and what it is."""
        kind = f"{prefix}CreationParameterTypeError"
        creation = self._decode(descriptor, descriptor.creation, frame, "creationParameter", kind)
        return creation is not _INVALID, creation

    def _decode(
        self, descriptor: EndpointDescriptor, codec: Codec[Any], frame: dict[str, Any], key: str, kind: str
    ) -> Any:
        raw = frame.get(key, UNSET)
        try:
            return codec.decode(raw, self.decoding)
        except DecodeError as error:
            fault = str(error)
        except RecursionError:
            fault = "It is nested too deeply"
        what = _REQUESTS[type(descriptor)]
        told = "undefined" if raw is UNSET else shown(raw)
        self.warn(
            kind,
            f"Received invalid {key} for {what}, endpointName = {descriptor.name}, {key} = {told}. {fault}",
        )
        return _INVALID


_INVALID: Final = object()


_REQUESTS: Final[dict[type, str]] = {
    RpcDescriptor: "rpcCall",
    ChannelDescriptor: "channel",
    SignalDescriptor: "signal",
}


def _integer(value: Any) -> int | None:
    return int(value) if is_id(value) else None
