"""What ``call`` and ``watch`` share: finding the endpoint that a user names, reading JSON, and printing it.

Values pass as plain JSON, undecoded, so that everything the server sends is shown, and whatever the user wants can be
sent; what is given is held against the schema first. At superjson endpoints values are the plain rendering, without
the envelope.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import attrs
import click
from click.shell_completion import CompletionItem

from lmwire import Client
from lmwire_runtime import json_codec
from lmwire_runtime.connection import Tap
from lmwire_runtime.descriptors import (
    ChannelDescriptor,
    Codec,
    EndpointDescriptor,
    NamespaceDescriptor,
    RpcDescriptor,
    SignalDescriptor,
)
from lmwire_runtime.limits import Timeouts
from lmwire_runtime.taps import ConnectionTap, End
from lmwire_runtime.taps import Direction as Way
from lmwire_runtime.wire import ROOT, UNSET, Decoding
from lmwire_tools import analysis
from lmwire_tools.analysis import ConnectionAnalysis
from lmwire_tools.deviations import deviations_of
from lmwire_tools.recordings import Direction
from lmwire_tools.traffic_text import event_lines, printable

__all__ = [
    "Deviating",
    "ServerOptions",
    "complete_endpoint",
    "complete_namespace",
    "find_endpoint",
    "json_text",
    "plain",
    "raw",
    "read_json",
    "server_options",
]

E = TypeVar("E", bound=EndpointDescriptor)
F = TypeVar("F", bound=Callable[..., object])


# Names of endpoints.


def _endpoints(namespace: NamespaceDescriptor, kind: str) -> Mapping[str, EndpointDescriptor]:
    """The endpoints that a command is for: ``call`` takes calls, ``watch`` the others."""
    return namespace.rpc if kind == "call" else {**namespace.channel, **namespace.signal}


def complete_namespace(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a namespace that has something for the command."""
    kind = ctx.info_name or ""
    return [
        CompletionItem(name)
        for name, namespace in analysis.NAMESPACES.items()
        if name.startswith(incomplete) and _endpoints(namespace, kind)
    ]


def complete_endpoint(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of an endpoint of the namespace that stands before it."""
    namespace = analysis.NAMESPACES.get(ctx.params.get("namespace", ""))
    if namespace is None:
        return []
    return [
        CompletionItem(name, help=endpoint.description.partition("\n")[0])
        for name, endpoint in _endpoints(namespace, ctx.info_name or "").items()
        if name.startswith(incomplete)
    ]


def find_endpoint(kind: str, namespace: str, name: str) -> EndpointDescriptor:
    """Return the endpoint that a user names.

    Args:
        kind: The command, ``call`` or ``watch``.
        namespace: As the wire has it.
        name: As the wire has it.

    Raises:
        click.UsageError: There is none; says what there is.
    """
    descriptor = analysis.NAMESPACES.get(namespace)
    if descriptor is None:
        _unknown(f"there is no namespace {namespace!r}", namespace, analysis.NAMESPACES)
    other = "watch" if kind == "call" else "call"
    if name in _endpoints(descriptor, kind):
        return _endpoints(descriptor, kind)[name]
    if name in _endpoints(descriptor, other):
        raise click.UsageError(f"{namespace} {name} is for `lmwire {other}`")
    _unknown(f"{namespace} has no endpoint {name!r} to {kind}", name, _endpoints(descriptor, kind))


def _unknown(problem: str, name: str, known: Iterable[str]) -> NoReturn:
    close = get_close_matches(name, known, n=1)
    there_is = ", ".join(known) or "nothing"
    hint = f"did you mean {close[0]}?" if close else f"there is: {there_is}"
    raise click.UsageError(f"{problem}; {hint}")


# JSON in.


def read_json(text: str | None, codec: Codec[Any], what: str, *, unchecked: bool) -> Any:
    """Read what a user gives to be sent; UNSET for nothing.

    Args:
        text: JSON, ``@FILE``, ``-`` for the standard input, or None.
        codec: What the endpoint takes.
        what: What an error calls it, such as ``the parameter of tokenize``.
        unchecked: Whether to send what does not fit the schema too.

    Raises:
        click.UsageError: It is no JSON, or does not fit the schema.
    """
    value: Any = UNSET if text is None else _parsed(_source(text), what)
    if unchecked:
        return value
    if value is UNSET and codec.presence == "required":
        raise click.UsageError(f"{what} is missing: {codec.type_name or 'a value'}, as JSON")

    def decode(holder: Any, decoding: Decoding) -> object:
        return codec.decode(holder, decoding, ROOT)

    if codec.presence == "void" and value is not UNSET:
        raise click.UsageError(f"{what} has to be left out: it takes none")
    deviations = [] if value is UNSET else deviations_of(value, decode)
    if deviations:
        told = "".join(f"\n  {printable(str(deviation))}" for deviation in deviations)
        raise click.UsageError(f"{what} does not fit the schema:{told}\n--unchecked sends it all the same.")
    return value


def _source(text: str) -> str | bytes:
    if text == "-":
        with click.open_file("-", "rb") as stdin:
            return bytes(stdin.read())
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{text[1:]} cannot be read: {error.strerror or error}") from None


def _parsed(text: str | bytes, what: str) -> Any:
    try:
        return json_codec.loads(text)
    except UnicodeDecodeError:
        raise click.UsageError(f"{what} is not UTF-8") from None
    except ValueError as error:
        raise click.UsageError(f"{what} is no JSON: {error}") from None


# Endpoints whose values pass undecoded.


def raw(descriptor: E) -> E:
    """Return the endpoint with codecs that let plain JSON through."""
    if isinstance(descriptor, RpcDescriptor):
        names: tuple[str, ...] = ("parameter", "result")
    elif isinstance(descriptor, ChannelDescriptor):
        names = ("creation", "to_server", "to_client")
    else:
        assert isinstance(descriptor, SignalDescriptor)
        names = ("creation", "value")
    changed: dict[str, Any] = {name: _as_it_is(getattr(descriptor, name)) for name in names}
    return attrs.evolve(descriptor, **changed)


def _as_it_is(codec: Codec[Any]) -> Codec[Any]:
    return Codec(
        decoder=lambda value, decoding, path: value,
        encoder=lambda value: value,
        presence="void" if codec.presence == "void" else "optional",
        type_name=codec.type_name,
        annotations=codec.annotations,
    )


def plain(codec: Codec[Any]) -> Codec[Any]:
    """The codec of a value without superjson's envelope."""
    inner = getattr(codec.decoder, "args", ())
    return inner[0] if inner and isinstance(inner[0], Codec) else codec


# JSON out.


def json_text(value: Any, *, pretty: bool) -> str:
    """Return JSON that is safe to print: over several lines if it is to be pretty, else in one."""
    text = json.dumps(
        value, ensure_ascii=False, indent=2 if pretty else None, separators=None if pretty else (",", ":")
    )
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text
    )


# The server.


class Deviating:
    """A tap that tells on stderr what the server's frames deviate in, and of every frame if that is wanted.

    Attributes:
        found: Whether anything deviated.
    """

    def __init__(self, *, frames: bool) -> None:
        self.found = False
        self._frames = frames
        self._number = 0

    def opened(self, namespace: str, end: End) -> ConnectionTap:
        """Begin a connection; clients call this."""
        self._number += 1
        return _DeviatingConnection(self, ConnectionAnalysis(self._number, namespace), self._frames)


@attrs.define
class _DeviatingConnection:
    owner: Deviating
    analysis: ConnectionAnalysis
    frames: bool

    def frame(self, direction: Way, text: bytes) -> None:
        way: Direction = "to_server" if direction == "sent" else "to_client"
        event = self.analysis.frame(way, text, time.time())
        if direction == "received" and event.deviations:
            self.owner.found = True
        if self.frames or (direction == "received" and event.deviations):
            for line in event_lines(event, width=160):
                click.echo(line, err=True)

    def closed(self, reason: str) -> None:
        pass


@attrs.frozen(kw_only=True)
class ServerOptions:
    """What a command was told about the server, and how to print."""

    api_host: str | None
    api_token: str | None
    timeout: float | None
    output: str | None
    frames: bool
    strict: bool
    unchecked: bool

    @property
    def pretty(self) -> bool:
        """Whether to print JSON over several lines."""
        return self.output == "pretty" if self.output is not None else sys.stdout.isatty()

    def client(self, tap: Tap) -> Client:
        """Make a client."""
        return Client(self.api_host, api_token=self.api_token, on_frame=tap, timeouts=_timeouts(self.timeout))


def _timeouts(seconds: float | None) -> Timeouts:
    return Timeouts() if seconds is None else Timeouts(rpc=seconds, channel=seconds)


_OPTIONS: Final = (
    click.option(
        "--api-host",
        metavar="HOST[:PORT]",
        help="The server to talk to; by default one on this machine is looked for.",
    ),
    click.option(
        "--api-token", metavar="TOKEN", help="API token, if the server wants one; or set LM_API_TOKEN."
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long to wait for an answer, or the next packet; by default 60, or 600.",
    ),
    click.option(
        "--output",
        type=click.Choice(["json", "pretty"]),
        help="JSON in one line, or over several; by default pretty on a terminal.",
    ),
    click.option("--frames", is_flag=True, help="Print the frames that pass, on stderr."),
    click.option("--strict", is_flag=True, help="Exit with 1 if the server deviates from the schema."),
    click.option("--unchecked", is_flag=True, help="Send what does not fit the schema, too."),
)


def server_options(function: F) -> F:
    """Give a command the options that make up ``ServerOptions``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
