"""Every exception that lmwire raises, sorted by whose fault it is.

    LMWireError
     ├── UsageError                 the caller broke a rule (also a ValueError)
     │    └── StateError            something was used too early, too late or twice
     │         └── ClosedError      the client, connection or stream was closed by its own user
     ├── ProtocolError              the peer broke the protocol
     │    └── ProtocolMismatchError   a value does not fit the schema; carries the JSON pointer
     ├── UnsupportedEndpointError   the server does not know, or does not handle, this endpoint
     ├── RefusedRequestError        the server refused the shape of a request (bad parameter, id in use)
     ├── RemoteError                the peer reports a failure in an error object
     │    ├── RpcError              ... as the answer to a call
     │    ├── ChannelError          ... as the end of a channel
     │    └── SignalError           ... as the end of a signal
     ├── NoModelLoadedError         a handle without a key was asked for, and the server has no model loaded
     ├── IncompleteError            a channel ended without the packet that carries its result
     ├── AuthenticationError        the server refused the credentials
     ├── ConnectError               no connection could be made
     │    └── ServerNotFoundError   ... to any of several addresses
     ├── ConnectionLostError        an established connection ended (also a builtin ConnectionError)
     ├── RequestTimeoutError        nothing arrived in time (also a builtin TimeoutError)
     ├── CancelledError             the caller cancelled and asked for a result all the same
     └── SlowConsumerError          the caller did not read its stream, so the stream was given up

Facts are attributes, the sentence is built in ``__str__``. What concerns one request also carries where it was made:
``namespace``, ``endpoint`` and ``request_id`` (the wire's callId, channelId or subscribeId).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lmwire_runtime.wire import DecodeError

__all__ = [
    "AuthenticationError",
    "CancelledError",
    "ChannelError",
    "ClosedError",
    "ConnectError",
    "ConnectionLostError",
    "IncompleteError",
    "LMWireError",
    "NoModelLoadedError",
    "ProtocolError",
    "ProtocolMismatchError",
    "RefusedRequestError",
    "RemoteError",
    "RequestTimeoutError",
    "RpcError",
    "ServerNotFoundError",
    "SignalError",
    "SlowConsumerError",
    "StateError",
    "UnsupportedEndpointError",
    "UsageError",
]


E = TypeVar("E", bound="LMWireError")


def _rebuild(kind: type[E], args: tuple[Any, ...], facts: dict[str, Any]) -> E:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(facts)
    return error


class LMWireError(Exception):
    """Root of every exception that lmwire raises on purpose.

    ``namespace``, ``endpoint`` and ``request_id`` say which request failed; each is None where no single request did.
    """

    namespace: str | None = None
    endpoint: str | None = None
    request_id: int | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def at(self: E, namespace: str, endpoint: str, request_id: int | None = None) -> E:
        """Name the request that failed; returns the same exception, so that it can be raised in one line."""
        self.namespace, self.endpoint, self.request_id = namespace, endpoint, request_id
        return self

    @property
    def request(self) -> str:
        """The failed request as a reader finds it in a frame log, ``llm.predict #3``; empty if there is none."""
        if self.endpoint is None:
            return ""
        identity = "" if self.request_id is None else f" #{self.request_id}"
        return f"{self.namespace}.{self.endpoint}{identity}"

    def copied(self: E) -> E:
        """Return an exception with the same facts: each waiter raises one of its own, or tracebacks would mix."""
        error = _rebuild(type(self), self.args, self.__dict__)
        error.__cause__ = self.__cause__
        return error

    def __reduce__(self) -> Any:
        # Constructors take facts, not the finished message that ``args`` holds: copying and pickling go around them.
        return _rebuild, (type(self), self.args, self.__dict__.copy())

    def __str__(self) -> str:
        return f"{self.message} [{self.request}]" if self.request else self.message


class UsageError(LMWireError, ValueError):
    """The caller broke a rule of this library; nothing was sent."""


class StateError(UsageError):
    """Something was used too early, too late or twice."""


class ClosedError(StateError):
    """The client, connection or stream had been closed by its own user."""


class ProtocolError(LMWireError):
    """The peer sent something that the protocol does not allow."""


class ProtocolMismatchError(ProtocolError):
    """A value that the peer sent does not fit the schema of this revision.

    ``pointer`` is the JSON pointer of the value inside ``raw``, the whole value that was being decoded.
    """

    def __init__(self, error: DecodeError, *, revision: str, raw: Any) -> None:
        super().__init__(f"the server's reply does not fit protocol revision {revision}: {error}")
        self.pointer = error.pointer
        self.revision = revision
        self.raw = raw


class UnsupportedEndpointError(LMWireError):
    """The server does not know this endpoint, or has no handler for it; ``kind`` is the wire's warning kind."""

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind


class RefusedRequestError(LMWireError):
    """The server refused a request without an answer of its own: a bad parameter, or an id that is in use.

    ``kind`` is the wire's warning kind, None from servers older than March 2026, which send text only.
    """

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind


class RemoteError(LMWireError):
    """The peer reports a failure. All facts come from the wire's error object and may be missing.

    Attributes:
        title: What went wrong, in one line ("Unknown error" if the peer gave none).
        root_title: The title of the innermost error, where the peer wrapped one in another.
        cause: A longer explanation, or None.
        suggestion: What the user could do, or None.
        display_data: The machine-readable reason, a dict with a ``code`` such as ``generic.presetNotFound``, or None.
        error_data: Free-form details, or None.
        stack: The peer's own stack trace, or None.
        raw: The error exactly as received.
    """

    def __init__(self, raw: Any) -> None:
        facts: Mapping[str, Any] = raw if isinstance(raw, dict) else {}

        def text(key: str) -> str | None:
            value = facts.get(key)
            return value if isinstance(value, str) else None

        def table(key: str) -> dict[str, Any] | None:
            value = facts.get(key)
            return value if isinstance(value, dict) else None

        self.raw = raw
        # A server was once seen to send bare text where an error object belongs.
        self.title = raw if isinstance(raw, str) and raw else text("title") or "Unknown error"
        self.root_title = text("rootTitle")
        self.cause = text("cause")
        self.suggestion = text("suggestion")
        self.display_data = table("displayData")
        self.error_data = table("errorData")
        self.stack = text("stack")
        super().__init__(self.title)

    @property
    def code(self) -> str | None:
        """The ``code`` of ``display_data``, such as ``generic.pathNotFound``; None if there is none."""
        code = (self.display_data or {}).get("code")
        return code if isinstance(code, str) else None

    def __str__(self) -> str:
        lines = [super().__str__()]
        if self.root_title and self.root_title != self.title:
            lines.append(f"Root cause: {self.root_title}")
        if self.cause:
            lines.append(f"Cause: {self.cause}")
        if self.suggestion:
            lines.append(f"Suggestion: {self.suggestion}")
        details = {key: value for key, value in (self.display_data or {}).items() if key != "code"}
        lines.extend(f"{key}: {value}" for key, value in details.items())
        return "\n".join(lines)


class RpcError(RemoteError):
    """The server answered a call with an error (wire frame ``rpcError``)."""


class ChannelError(RemoteError):
    """The server ended a channel with an error (wire frame ``channelError``)."""


class SignalError(RemoteError):
    """The server ended a signal with an error (wire frames ``signalError`` and ``writableSignalError``)."""


class NoModelLoadedError(LMWireError):
    """A handle of any loaded model was asked for, and the server has none loaded."""


class IncompleteError(LMWireError):
    """A channel was closed by the server before the packet that carries its result."""


class AuthenticationError(LMWireError):
    """The server refused the credentials, or did not answer them as an LM Studio server does."""


class ConnectError(LMWireError):
    """No connection could be made; ``address`` is where, the chained exception is why."""

    def __init__(self, message: str, *, address: str | None = None) -> None:
        super().__init__(message)
        self.address = address


class ServerNotFoundError(ConnectError):
    """No LM Studio server answered.

    ``attempts`` holds every address that was tried and, as text, why it failed.
    """

    def __init__(self, attempts: Sequence[tuple[str, str]], *, hint: str) -> None:
        tried = "".join(f"\n  {address}: {reason}" for address, reason in attempts)
        super().__init__(f"no LM Studio server was found. Tried:{tried}\n{hint}")
        self.attempts = tuple(attempts)


class ConnectionLostError(LMWireError, ConnectionError):
    """An established connection ended while it was needed; requests in flight are never sent again."""


class RequestTimeoutError(LMWireError, TimeoutError):
    """Nothing arrived in time; ``seconds`` is the limit that passed."""

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class CancelledError(LMWireError):
    """The operation was cancelled or abandoned by its own user, so that there is no result."""


class SlowConsumerError(LMWireError):
    """A stream was not read while its buffer was full, so it was given up to let the others go on.

    ``buffered_bytes`` is what lay unread, ``stall_seconds`` for how long nothing was taken.
    """

    def __init__(self, *, buffered_bytes: int, stall_seconds: float) -> None:
        super().__init__(
            f"{buffered_bytes} bytes lay unread for {stall_seconds:g} s, so the stream was cancelled; read it faster,"
            " or raise the client's limits"
        )
        self.buffered_bytes = buffered_bytes
        self.stall_seconds = stall_seconds
