"""The official SDK's exceptions, and how lmwire's become them.

    LMStudioError
     ├── LMStudioServerError             the server reports a failure
     │    ├── LMStudioModelNotFoundError
     │    ├── LMStudioPresetNotFoundError
     │    ├── LMStudioChannelClosedError   a channel was closed without its result; also an LMStudioRuntimeError
     │    └── LMStudioPredictionError
     ├── LMStudioClientError             this side could not go on
     │    ├── LMStudioUnknownMessageWarning
     │    ├── LMStudioCancelledError
     │    └── LMStudioWebsocketError       no connection, or it was lost
     ├── LMStudioTimeoutError            also a builtin TimeoutError
     ├── LMStudioRuntimeError            also a RuntimeError: an object was used in the wrong state
     ├── LMStudioValueError              also a ValueError
     └── LMStudioOSError                 also an OSError
          └── LMStudioFileNotFoundError    also a FileNotFoundError

Each has lmwire's own exception, with all its facts, as its ``__cause__``. ``translate`` is the whole of the mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import lmwire

__all__ = [
    "LMStudioCancelledError",
    "LMStudioChannelClosedError",
    "LMStudioClientError",
    "LMStudioError",
    "LMStudioFileNotFoundError",
    "LMStudioModelNotFoundError",
    "LMStudioOSError",
    "LMStudioPredictionError",
    "LMStudioPresetNotFoundError",
    "LMStudioRuntimeError",
    "LMStudioServerError",
    "LMStudioTimeoutError",
    "LMStudioUnknownMessageWarning",
    "LMStudioValueError",
    "LMStudioWebsocketError",
    "SerializedLMSExtendedError",
    "ValidationError",
    "translate",
]


class SerializedLMSExtendedError(NamedTuple):
    """A server's error object. What it left out is None; ``title`` is "Unknown error" then."""

    title: str
    cause: str | None = None
    suggestion: str | None = None
    error_data: Any = None
    display_data: Any = None
    stack: str | None = None
    root_title: str | None = None


class LMStudioError(Exception):
    """Root of this package's exceptions."""


class LMStudioServerError(LMStudioError):
    """The server reports a failure; ``server_error`` is its error object, None if there was none."""

    def __init__(self, message: str, details: SerializedLMSExtendedError | None = None) -> None:
        super().__init__(message)
        self.server_error = details


class LMStudioModelNotFoundError(LMStudioServerError):
    """No model matches."""


class LMStudioPresetNotFoundError(LMStudioServerError):
    """No preset matches."""


class LMStudioPredictionError(LMStudioServerError):
    """The server reports a failure of a prediction."""


class LMStudioClientError(LMStudioError):
    """This side could not go on."""


class LMStudioUnknownMessageWarning(LMStudioClientError, UserWarning):
    """A message of an unknown kind was received."""


class LMStudioCancelledError(LMStudioClientError):
    """The operation was cancelled by its own user, so that there is no result."""


class LMStudioWebsocketError(LMStudioClientError):
    """No connection could be made, or it was lost."""


class LMStudioTimeoutError(LMStudioError, TimeoutError):
    """Nothing arrived in time."""


class LMStudioRuntimeError(LMStudioError, RuntimeError):
    """An object was used in the wrong state."""


class LMStudioChannelClosedError(LMStudioServerError, LMStudioRuntimeError):
    """The server closed a channel before its result; the official SDK raises LMStudioRuntimeError then."""


class LMStudioValueError(LMStudioError, ValueError):
    """An argument is not acceptable; nothing was sent."""


ValidationError = LMStudioValueError
"""The official SDK's name for values that do not fit, such as an answer that is none of ``parse_as``'s class."""


class LMStudioOSError(LMStudioError, OSError):
    """The operating system refused something."""


class LMStudioFileNotFoundError(LMStudioOSError, FileNotFoundError):
    """A local file does not exist."""


# The first class that matches decides.
_CLASSES: Final[tuple[tuple[type[lmwire.LMWireError], type[LMStudioError]], ...]] = (
    (lmwire.RequestTimeoutError, LMStudioTimeoutError),
    (lmwire.StateError, LMStudioRuntimeError),
    (lmwire.UsageError, LMStudioValueError),
    (lmwire.CancelledError, LMStudioCancelledError),
    (lmwire.IncompleteError, LMStudioChannelClosedError),
    (lmwire.AuthenticationError, LMStudioServerError),
    (lmwire.UnsupportedEndpointError, LMStudioServerError),
    (lmwire.RefusedRequestError, LMStudioServerError),
    (lmwire.ConnectionLostError, LMStudioWebsocketError),
    (lmwire.ServerNotFoundError, LMStudioClientError),
    (lmwire.ConnectError, LMStudioWebsocketError),
    (lmwire.LMWireError, LMStudioClientError),
)
# The machine-readable reasons that have a class of their own.
_CODES: Final[Mapping[str, type[LMStudioServerError]]] = {
    "generic.identifierNotFound": LMStudioModelNotFoundError,
    "generic.noModelMatchingQuery": LMStudioModelNotFoundError,
    "generic.pathNotFound": LMStudioModelNotFoundError,
    "generic.presetNotFound": LMStudioPresetNotFoundError,
}
_PREDICTIONS: Final = frozenset({"completeRawText", "predict"})


def translate(error: lmwire.LMWireError) -> LMStudioError:
    """Return the exception of this package that says the same; raise it ``from`` the original."""
    if isinstance(error, lmwire.RemoteError):
        kind = _CODES.get(error.code or "")
        if kind is None:
            kind = LMStudioPredictionError if error.endpoint in _PREDICTIONS else LMStudioServerError
        return kind(str(error), _details(error))
    if isinstance(error, lmwire.UsageError) and isinstance(error.__cause__, OSError):
        return _of_the_system(str(error), error.__cause__)
    made = next(ours for theirs, ours in _CLASSES if isinstance(error, theirs))
    return made(str(error))


def _of_the_system(message: str, cause: OSError) -> LMStudioOSError:
    made = (LMStudioFileNotFoundError if isinstance(cause, FileNotFoundError) else LMStudioOSError)(message)
    made.errno = cause.errno
    return made


def _details(error: lmwire.RemoteError) -> SerializedLMSExtendedError:
    return SerializedLMSExtendedError(
        title=error.title,
        cause=error.cause,
        suggestion=error.suggestion,
        error_data=error.error_data,
        display_data=error.display_data,
        stack=error.stack,
        root_title=error.root_title,
    )
