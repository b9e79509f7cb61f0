"""The whole protocol as one AsyncAPI 3 document, of the same model as the bindings, for tools of other languages.

It describes the server: a channel for each namespace's WebSocket, an operation for each thing that an endpoint does, a
message for each frame, its payload the whole frame. Schemas are those of ``schema/wire`` in the JSON Schema draft that
AsyncAPI uses (07); what has a Python name is a component under that name. Text is ASCII, so whatever a schema says
stays inside its string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lmwire_codegen.asyncapi_schemas import Schemas
from lmwire_codegen.examples import FRAMES, ExampleFrame, Examples, label_of, packets_of
from lmwire_codegen.load import SchemaFolder
from lmwire_codegen.model import Endpoint, Model, Namespace
from lmwire_codegen.samples import NoSampleError
from lmwire_codegen.shapes import NormalEndpoint

__all__ = ["asyncapi_document", "asyncapi_text"]

_KEY: Final = re.compile(r"[A-Za-z0-9_.-]+")
_DESCRIPTION: Final = (
    "What LM Studio and its clients say on WebSockets, one WebSocket for each namespace. The first message of a "
    "client is the authentication packet; nothing else may be sent before it is answered. Ids (callId, channelId, "
    "subscribeId) are chosen by the client. Frames that are not understood are answered by a warning without an id, or "
    "not at all. The document describes the server: it receives calls and sends results. Made by lmwire-codegen; not "
    "by LM Studio."
)
_SERVER: Final = {
    "host": "127.0.0.1:1234",
    "protocol": "ws",
    "description": "An LM Studio on this machine. Its own port is one of 41343, 52993, 16141, 39414 and 22931; 1234 is "
    "the usual one of the server that can be switched on.",
}
_INTEGER: Final = {"type": "integer"}

_ENVELOPE_OPERATIONS: Final = (
    (
        "authenticate",
        "receive",
        ("AuthenticationPacket",),
        ("AuthenticationAccepted", "AuthenticationRefused"),
    ),
    ("keepAlive", "receive", ("KeepAlive",), ("KeepAliveAck",)),
    ("warn", "send", ("CommunicationWarning",), ()),
    ("takeWarning", "receive", ("CommunicationWarning",), ()),
    ("acknowledge", "send", ("ChannelAck",), ()),
    ("takeAcknowledgement", "receive", ("ChannelAck",), ()),
)
"""What every namespace has: operation, action, messages, messages of the reply."""


def asyncapi_text(model: Model, folder: SchemaFolder) -> str:
    """Return the document as JSON, ending in a line feed."""
    return json.dumps(asyncapi_document(model, folder), indent=1) + "\n"


def asyncapi_document(model: Model, folder: SchemaFolder) -> dict[str, Any]:
    """Return the document."""
    return _Document(model, folder).write()


class _Document:
    def __init__(self, model: Model, folder: SchemaFolder) -> None:
        self._model = model
        self._history = folder.history
        self._schemas = Schemas(model, folder)
        self._examples = Examples(model, folder)
        self._messages: dict[str, Any] = {}
        self._channels: dict[str, Any] = {}
        self._operations: dict[str, Any] = {}

    def write(self) -> dict[str, Any]:
        for namespace in self._model.namespaces:
            key = _key(namespace.name, namespace.package)
            self._channels[key] = {
                "address": f"/{namespace.name}",
                "description": f"The WebSocket of the namespace {namespace.name}.",
                "messages": {},
                "x-since": self._since(namespace.name),
            }
            self._envelope(key)
            for endpoint in namespace.endpoints:
                self._endpoint(key, namespace, endpoint)
        return {
            "asyncapi": "3.0.0",
            "info": {
                "title": "LM Studio's WebSocket API",
                "version": self._model.schema.revision,
                "description": _DESCRIPTION,
            },
            "defaultContentType": "application/json",
            "servers": {"local": _SERVER},
            "channels": self._channels,
            "operations": self._operations,
            "components": {"messages": self._messages, "schemas": self._schemas.components()},
        }

    def _since(self, key: str) -> str:
        return next(iter(self._history.revisions_of(key)), self._model.schema.revision)

    # --- operations ---------------------------------------------------------------------------------------------

    def _envelope(self, channel: str) -> None:
        for name, action, messages, reply in _ENVELOPE_OPERATIONS:
            known = [self._envelope_message(message) for message in messages if self._has(message)]
            if known:
                answers = [self._envelope_message(message) for message in reply]
                self._operation(f"{channel}.{name}", channel, action, known, answers)

    def _has(self, name: str) -> bool:
        return f"envelope/{name}" in self._model.schema.definitions

    def _envelope_message(self, name: str) -> str:
        """Return the message that a frame of the envelope is, made when it is first asked for."""
        key = f"envelope.{name}"
        if key not in self._messages:
            definition = self._model.definition(f"envelope/{name}")
            message: dict[str, Any] = {"name": name, "payload": self._schemas.reference(definition.key)}
            if definition.description:
                message["summary"] = definition.description
            try:
                message["examples"] = [{"name": name, "payload": self._examples.of_place(definition.place)}]
            except NoSampleError:
                message["examples"] = []
            self._messages[key] = message
        return key

    def _operation(
        self, name: str, channel: str, action: str, messages: Iterable[str], reply: Iterable[str] = (),
        **more: Any,
    ) -> None:  # fmt: skip
        operation = {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel}"},
            **more,
            "messages": list(self._of_channel(channel, messages)),
        }
        answers = list(self._of_channel(channel, reply))
        if answers:
            operation["reply"] = {"channel": {"$ref": f"#/channels/{channel}"}, "messages": answers}
        self._operations[name] = operation

    def _of_channel(self, channel: str, messages: Iterable[str]) -> Iterator[dict[str, str]]:
        for key in messages:
            self._channels[channel]["messages"][key] = {"$ref": f"#/components/messages/{key}"}
            yield {"$ref": f"#/channels/{channel}/messages/{key}"}

    # --- endpoints ----------------------------------------------------------------------------------------------

    def _endpoint(self, channel: str, namespace: Namespace, endpoint: Endpoint) -> None:
        source = endpoint.source
        stem = f"{channel}.{source.kind}.{_key(source.name, endpoint.method)}"
        more: dict[str, Any] = {"title": source.name, "tags": [{"name": source.kind}]}
        if source.description:
            more["summary"] = source.description
        more["x-since"] = self._since(source.key)
        more["x-python"] = f"client.{namespace.package}.{source.kind}.{endpoint.method}"
        examples = self._examples_of(endpoint)
        if source.kind == "rpc":
            call = self._frame(f"{stem}.call", "rpcCall", source, "parameter", examples.get("call"))
            result = self._frame(f"{stem}.result", "rpcResult", source, "result", examples.get("result"))
            self._operation(stem, channel, "receive", [call], [result, *self._ends("RpcError")], **more)
        elif source.kind == "channel":
            create = self._frame(
                f"{stem}.create", "channelCreate", source, "creation", examples.get("create")
            )
            self._operation(f"{stem}.create", channel, "receive", [create], **more)
            packets = list(self._packets(stem, source, "toServer", examples))
            if packets:
                self._operation(f"{stem}.toServer", channel, "receive", packets, **more)
            packets = [
                *self._packets(stem, source, "toClient", examples),
                *self._ends("ChannelClose", "ChannelError"),
            ]
            if packets:
                self._operation(f"{stem}.toClient", channel, "send", packets, **more)
        else:
            self._signal(stem, channel, source, examples, more)

    def _signal(
        self, stem: str, channel: str, source: NormalEndpoint, examples: Mapping[str, Any], more: Mapping[str, Any]
    ) -> None:  # fmt: skip
        kind = "writableSignal" if source.writable else "signal"
        subscribe = self._frame(
            f"{stem}.subscribe", f"{kind}Subscribe", source, "creation", examples.get("subscribe")
        )
        self._operation(f"{stem}.subscribe", channel, "receive", [subscribe], **more)
        update = self._frame(f"{stem}.update", f"{kind}Update", source, "value", examples.get("update"))
        error = f"{kind[0].upper()}{kind[1:]}Error"
        self._operation(f"{stem}.update", channel, "send", [update, *self._ends(error)], **more)
        if source.writable:
            self._operation(f"{stem}.write", channel, "receive", [update], **more)
        end = self._frame(
            f"{stem}.unsubscribe", f"{kind}Unsubscribe", source, None, examples.get("unsubscribe")
        )
        self._operation(f"{stem}.unsubscribe", channel, "receive", [end], **more)

    def _examples_of(self, endpoint: Endpoint) -> dict[str, ExampleFrame]:
        try:
            return {frame.name: frame for frame in self._examples.of_endpoint(endpoint)}
        except NoSampleError:
            return {}  # it is a document without examples there, not a wrong one

    def _ends(self, *names: str) -> list[str]:
        return [self._envelope_message(name) for name in names if self._has(name)]

    def _packets(
        self, stem: str, source: NormalEndpoint, part: str, examples: Mapping[str, ExampleFrame]
    ) -> Iterator[str]:
        """Yield a message for each packet of one direction."""
        for packet in packets_of(self._model, source, part):
            key = f"{stem}.{part}"
            if packet.tag is not None and packet.key is not None:
                key = f"{key}.{_key(label_of(packet.tag), self._model.names[packet.key])}"
            value = self._schemas.of_place(packet.place)
            description = self._model.definition(packet.key).description if packet.key is not None else ""
            yield self._message(key, "channelSend", source, value, examples.get(packet.name), description)

    def _frame(
        self, key: str, kind: str, source: NormalEndpoint, part: str | None, example: ExampleFrame | None
    ) -> str:
        """Make the message of a frame that carries a part; return its key."""
        value = None
        if part is not None and source.parts[part].type is not None:
            value = self._schemas.of_place(source.place.child(part))
        optional = part is not None and source.parts[part].presence == "optional"
        return self._message(key, kind, source, value, example, optional=optional)

    def _message(
        self, key: str, kind: str, source: NormalEndpoint, value: Any, example: ExampleFrame | None,
        description: str = "", *, optional: bool = False,
    ) -> str:  # fmt: skip
        properties, required = _fields(kind, source)
        opaque = FRAMES[kind].opaque
        if kind.endswith("Update"):
            properties["patches"] = {"type": "array", "items": _patch(source, value)}
            properties["tags"] = {"type": "array", "items": {"type": "string"}}
            required += ["patches", "tags"]
        elif opaque and source.serialization != "raw":
            properties[opaque] = _in_envelope({"type": "null"} if value is None else value)
            required.append(opaque)
        elif opaque and value is not None:
            properties[opaque] = value
            required += [] if optional else [opaque]
        message: dict[str, Any] = {
            "name": kind,
            "title": f"{source.name}: {key.removeprefix(f'{source.namespace}.').split('.', 2)[-1]}",
            "payload": {"type": "object", "properties": properties, "required": required},
        }
        if description:
            message["summary"] = description
        if example is not None:
            message["examples"] = [{"name": "example", "payload": dict(example.data)}]
        self._messages[key] = message
        return key


def _fields(kind: str, source: NormalEndpoint) -> tuple[dict[str, Any], list[str]]:
    """Return what every frame of a kind has: properties, and the names of those that are required."""
    shape = FRAMES[kind]
    properties: dict[str, Any] = {"type": {"type": "string", "const": kind}}
    if shape.begins:
        properties["endpoint"] = {"type": "string", "const": source.name}
    properties[shape.id] = _INTEGER
    return properties, list(properties)


def _patch(source: NormalEndpoint, value: Any) -> Any:
    """Return the schema of one change of a signal whose value has the schema ``value``."""
    step = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    patch = {
        "type": "object",
        "description": "Replaced as a whole (path []), the value has the schema x-value.",
        "properties": {
            "op": {"enum": ["replace", "add", "remove"]},
            "path": {"type": "array", "items": step},
            "value": {},
        },
        "required": ["op", "path"],
        "x-value": value,
    }  # fmt: skip
    return patch if source.serialization == "raw" else _in_envelope(patch)


def _in_envelope(value: Any) -> dict[str, Any]:
    """Return the schema of superjson's envelope around a value."""
    return {
        "type": "object",
        "properties": {"json": value, "meta": {"type": "object"}},
        "required": ["json"],
        "description": "superjson's envelope; meta says which parts of json stand for what JSON lacks.",
    }


def _key(wanted: str, otherwise: str) -> str:
    """Return a key of the document: the wire's name if it may be one, else the Python name."""
    return wanted if _KEY.fullmatch(wanted) else otherwise
