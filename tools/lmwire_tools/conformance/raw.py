"""Raw connections to a server: they send what no client of ours would, and say what came back."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import attrs

from lmwire_runtime.addresses import Address
from lmwire_runtime.credentials import Credentials
from lmwire_runtime.transport import ClientTransport, Payload
from lmwire_tools.conformance.checks import Failed, NotApplicable

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ANYTHING", "Connection", "Server", "abbreviated", "fits"]

ANYTHING: Final = object()
"""In an expected frame: a key that has to be there, whatever its value."""

WARNING: Final = "communicationWarning"

# Calls without a parameter that change nothing, by which it shows that a server has taken what came before.
_BARRIERS: Final = {"system": "version", "llm": "listLoaded"}
_SHOWN: Final = 240
_PING: Final = b"lmwire conformance ping"
_PONG: Final = bytes([0x8A, len(_PING)]) + _PING


def abbreviated(frame: Any) -> str:
    """A frame, as part of a sentence."""
    text = frame if isinstance(frame, str) else json.dumps(frame, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def fits(frame: Any, expected: Mapping[str, Any]) -> bool:
    """Whether a frame has what is expected; the ``kind`` of a warning may be missing, as older servers send none."""
    if not isinstance(frame, dict):
        return False
    for key, value in expected.items():
        if key == "kind" and "kind" not in frame:
            continue
        if key not in frame or (value is not ANYTHING and frame[key] != value):
            return False
    return True


class _RawTransport(ClientTransport):
    """The client's end, with what only a tester sends."""

    def ping(self) -> None:
        """Queue the ping that ``ponged`` is about."""
        self._protocol.send_ping(_PING)

    def send_binary(self, message: bytes) -> None:
        """Queue a binary message."""
        self._protocol.send_binary(message)

    def send_part(self, part: bytes, *, first: bool, last: bool) -> None:
        """Queue one fragment of a text message."""
        if first:
            self._protocol.send_text(part, fin=last)
        else:
            self._protocol.send_continuation(part, fin=last)

    def receive(self, data: bytes | bytearray) -> list[Payload]:
        """See ``Transport.receive``; notes a pong too."""
        # Pongs are no messages; a payload that nothing else has tells them.
        self._heard = (self._heard + data)[-len(data) - len(_PONG) :]
        self.ponged = self.ponged or _PONG in self._heard
        return super().receive(data)

    ponged = False
    _heard = b""

    @property
    def close_code(self) -> int | None:
        """The code with which the peer closed; None if it did not."""
        frame = self._protocol.close_rcvd
        return None if frame is None else int(frame.code)


class Connection:
    """A WebSocket of one namespace, on a blocking socket. A context manager.

    Args:
        server: Whose.
        path: What follows the server's address.
    """

    def __init__(self, server: Server, path: str) -> None:
        self.path = path
        self._server = server
        address = server.address
        self._transport = _RawTransport(address.url(path), message_bytes=None)
        self._frames: list[Any] = []
        self._ids = iter(range(900_000, 1_000_000))
        try:
            self._socket = socket.create_connection((address.connect_host, address.port), server.timeout)
            if address.secure:
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(self._socket, server_hostname=address.server_name)
        except OSError as error:
            raise Failed(f"no connection to {address}: {error}") from None

    def shake_hands(self) -> str | None:
        """Open the WebSocket; returns why that failed, or None."""
        self._flush()
        while not self._transport.open:
            if self._transport.handshake_error is not None:
                return self._transport.handshake_error
            if not self._read("the answer to the WebSocket's opening handshake"):
                return self._transport.handshake_error or "the connection ended"
        return None

    def shake_hands_well(self) -> Self:
        """Open the WebSocket, which has to succeed; returns itself."""
        fault = self.shake_hands()
        if fault is not None:
            raise Failed(f"/{self.path}: no WebSocket: {fault}")
        return self

    def authenticate(self, **extra: Any) -> Self:
        """Send the authentication packet, which has to be accepted; returns itself."""
        self.send({**self._server.credentials, **extra})
        reply = self.receive("the result of the authentication")
        if reply != {"success": True}:
            raise Failed(f"/{self.path}: authentication got {abbreviated(reply)}")
        return self

    # Sending.

    def send(self, *frames: Any) -> None:
        """Send frames in one go: JSON, text as it is, or bytes as a binary message."""
        for frame in frames:
            if isinstance(frame, bytes):
                self._transport.send_binary(frame)
            else:
                text = frame if isinstance(frame, str) else json.dumps(frame)
                self._transport.send(text.encode())
        self._flush()

    def send_parts(self, *parts: bytes) -> None:
        """Send one message in several WebSocket fragments."""
        for number, part in enumerate(parts):
            self._transport.send_part(part, first=number == 0, last=number == len(parts) - 1)
        self._flush()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes that may be no WebSocket frames at all."""
        self._write(data)

    def ping(self) -> None:
        """Send a ping, and wait for its pong."""
        self._transport.ping()
        self._flush()
        while not self._transport.ponged:
            if not self._read("the pong"):
                raise Failed("the connection ended instead of a pong")

    # Receiving.

    def receive(self, what: str) -> dict[str, Any]:
        """The next frame; ``what`` is waited for."""
        while not self._frames:
            if not self._read(what):
                raise Failed(
                    f"the connection ended, and {what} did not come ({self._transport.close_reason})"
                )
        frame = self._frames.pop(0)
        if not isinstance(frame, dict):
            raise Failed(f"the server sent what is no object: {abbreviated(frame)}")
        return frame

    def rest(self, what: str) -> list[Any]:
        """All frames up to the end of the connection, which is ``what`` is waited for."""
        while self._read(what):
            pass
        frames, self._frames = self._frames, []
        return frames

    @property
    def close_code(self) -> int | None:
        """By which code the server closed the WebSocket; None if it did not."""
        return self._transport.close_code

    def settle(self, expected: Sequence[Mapping[str, Any]] = (), *, sent: Any = None) -> list[Any]:
        """Wait until all that is expected has come, and the server has taken all that was sent; returns what came.

        With ``sent``, the last frame that was sent, nothing else may come.

        Raises:
            Failed: Something did not come in time, or something else came, or the connection ended.
        """
        number = next(self._ids)
        barrier = {"type": "rpcResult", "callId": number}
        call = {"type": "rpcCall", "endpoint": _BARRIERS[self.path], "callId": number}
        self.send(call)
        awaited: list[Mapping[str, Any]] = [*expected, barrier]
        came: list[Any] = []
        while awaited:
            frame = self.receive(_described(awaited[0], call))
            found = next((one for one in awaited if fits(frame, one)), None)
            if found is not None:
                awaited.remove(found)
            elif sent is not None:
                raise Failed(f"to {abbreviated(sent)} came {abbreviated(frame)}")
            if found is not barrier:
                came.append(frame)
        return came

    def exchange(self, *frames: Any, expect: Sequence[Mapping[str, Any]] = ()) -> list[Any]:
        """Send frames, and demand that exactly what is expected comes back, in any order; returns it.

        Raises:
            Failed: Something else came, or something did not.
        """
        self.send(*frames)
        return self.settle(expect, sent=frames[-1])

    def until_end_of(self, channel_id: int) -> list[Any]:
        """All frames up to the terminal one of a channel."""
        frames = []
        while True:
            frame = self.receive(f"the end of channel {channel_id}")
            frames.append(frame)
            if frame.get("channelId") == channel_id:
                if frame.get("type") in ("channelClose", "channelError"):
                    return frames
            elif frame.get("type") == WARNING:
                raise Failed(f"channel {channel_id} got a warning: {abbreviated(frame.get('warning'))}")

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _flush(self) -> None:
        data, _ = self._transport.output()
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Failed(f"the connection is gone: {error}") from None

    def _read(self, what: str) -> bool:
        """Take what has arrived; returns False at the end of the connection."""
        if self._transport.closed:
            return False
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Failed(f"{what} did not come within {self._server.timeout:g} s") from None
        except OSError:
            data = b""
        if not data:
            self._transport.receive_eof()
            return False
        for message in self._transport.receive(data):
            try:
                self._frames.append(json.loads(bytes(message)))
            except ValueError:
                raise Failed(f"the server sent what is no JSON: {bytes(message)[:_SHOWN]!r}") from None
        data, _ = self._transport.output()
        if data:
            try:
                self._socket.sendall(data)
            except OSError:
                return True  # what it has sent before is still to be read
        return True


def _described(awaited: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    if awaited.get("callId") == call["callId"]:
        return f"the answer to the call of {call['endpoint']} that follows"
    shown = {key: "..." if value is ANYTHING else value for key, value in awaited.items()}
    return json.dumps(shown)


@attrs.define(kw_only=True, slots=False)
class Server:
    """The server that is checked.

    Attributes:
        address: Where it is.
        credentials: The authentication packet that it accepts.
        has_token: Whether that is an API token's.
        model: The identifier of the loaded model to use; None for any.
        timeout: Seconds to wait for whatever has to come.
    """

    address: Address
    credentials: dict[str, Any] = attrs.field(repr=False)
    has_token: bool = False
    model: str | None = None
    timeout: float = 10.0

    @classmethod
    def at(
        cls,
        address: Address,
        *,
        api_token: str | None = None,
        model: str | None = None,
        timeout: float = 10.0,
    ) -> Self:
        """A server at an address; without a token the checks are anonymous guests."""
        known = Credentials.guest() if api_token is None else Credentials.from_token(api_token)
        packet = authentication(known.identifier, known.passkey)
        return cls(
            address=address, credentials=packet, has_token=api_token is not None, model=model, timeout=timeout
        )

    def open(self, path: str = "system") -> Connection:
        """An authenticated connection."""
        connection = self.connect(path)
        try:
            return connection.authenticate()
        except BaseException:
            connection.close()
            raise

    def connect(self, path: str = "system") -> Connection:
        """A WebSocket on which nothing has been sent."""
        connection = Connection(self, path)
        try:
            return connection.shake_hands_well()
        except BaseException:
            connection.close()
            raise

    def page(self, path: str) -> tuple[int, Any]:
        """Ask for a page over HTTP: its status, and its JSON (None if it is none)."""
        base = self.address.url("").replace("ws", "http", 1).rstrip("/")
        # Without proxies: the address is one that WebSockets go to directly, too.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{base}/{path}", timeout=self.timeout) as reply:
                return reply.status, _json(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read())
        except OSError as error:
            raise Failed(f"GET /{path} got no answer: {error}") from None

    @property
    def specifier(self) -> dict[str, Any]:
        """How requests name the model."""
        return {"type": "query", "query": {} if self.model is None else {"identifier": self.model}}

    def need_a_model(self) -> None:
        """Raise NotApplicable unless the model is loaded."""
        if not self._loaded:
            which = "no model is loaded" if self.model is None else f"{self.model} is not loaded"
            raise NotApplicable(f"{which}; load one, such as with: lms load")

    @cached_property
    def _loaded(self) -> list[Any]:
        with self.open("llm") as connection:
            call = {"type": "rpcCall", "endpoint": "listLoaded", "callId": 1}
            connection.send(call)
            result = connection.receive("the list of loaded models").get("result")
        models = [model.get("identifier") for model in result] if isinstance(result, list) else []
        return [model for model in models if self.model in (None, model)]

    @cached_property
    def _completes_raw_text(self) -> bool:
        """Whether the server has ``completeRawText``, which came in 2025; ``predict`` does as well."""
        with self.open("llm") as connection:
            connection.send({"type": "channelCreate", "endpoint": "completeRawText", "channelId": 1})
            (warning,) = connection.settle([{"type": WARNING}])[:1]
        return "ndpointUnknown" not in str(warning.get("kind", "")) and "unknown" not in str(
            warning.get("warning", "")
        )

    def completion(
        self, channel_id: int, *, tokens: int, prompt: str = "The sky is", **changes: Any
    ) -> dict[str, Any]:
        """The frame that begins a completion, with changes to its creation parameter."""
        self.need_a_model()
        field = {"key": "llm.prediction.maxPredictedTokens", "value": {"checked": True, "value": tokens}}
        parameter = {
            "modelSpecifier": self.specifier,
            "predictionConfigStack": {
                "layers": [{"layerName": "apiOverride", "config": {"fields": [field]}}]
            },
        }
        text: dict[str, Any]
        if self._completes_raw_text:
            endpoint, text = "completeRawText", {"rawPrompt": prompt}
        else:
            message = {"role": "user", "content": [{"type": "text", "text": prompt}]}
            endpoint, text = "predict", {"history": {"messages": [message]}}
        return {
            "type": "channelCreate",
            "endpoint": endpoint,
            "channelId": channel_id,
            "creationParameter": {**parameter, **text, **changes},
        }


def authentication(identifier: str, passkey: str) -> dict[str, Any]:
    """An authentication packet."""
    return {"authVersion": 1, "clientIdentifier": identifier, "clientPasskey": passkey}


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
