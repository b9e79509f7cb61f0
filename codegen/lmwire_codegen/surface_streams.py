"""Resolves what ``schema/surface`` says of streams of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from lmwire_codegen.model import Endpoint
from lmwire_codegen.problems import Location
from lmwire_codegen.shapes import Named
from lmwire_codegen.surface_lookup import Lookup, names_in
from lmwire_codegen.surface_model import (
    AttemptPlan,
    ClassRef,
    CollectedItems,
    CollectedPacket,
    Input,
    MessageShape,
    ResultField,
    StreamPlan,
    TextShape,
    ToolsInput,
    YieldingPacket,
)
from lmwire_codegen.surface_names import AbsentError, LeftOut

__all__ = ["stream_of", "text_of", "with_results"]


def text_of(look: Lookup, entry: Mapping[str, Any], place: Location) -> TextShape:
    """Resolve what all streams of text have in common, but for the fields of results, which need a stream's packet."""
    fragment = look.type(entry["fragment"], place.child("fragment"))
    message = entry["message"]
    message_type = look.type(message["type"], place.child("message", "type"))
    return TextShape(
        fragment=fragment,
        text=look.attribute(Named(look.key(fragment)), entry["text"], place.child("text")),
        stream_class=entry["stream_class"],
        result_class=entry["result_class"],
        event_type=entry["event_type"],
        options=look.table(entry, place),
        structured_option=entry["structured_option"],
        message=MessageShape(
            type=message_type,
            decoder=look.decoder(message_type),
            template=message["template"],
            text=message["text"],
            items=message.get("items", {}),
        ),
        results=[],
        collected=look.present(
            lambda name, kept, where: CollectedItems(
                name=name,
                type=look.type(kept["type"], where.child("type")),
                callback=kept.get("callback"),
                description=kept["description"],
            ),
            entry.get("collected", {}),
            place.child("collected"),
        ),
    )


def with_results(
    look: Lookup, text: TextShape, streams: Sequence[StreamPlan], entry: Mapping[str, Any], place: Location
) -> TextShape:
    """Add the fields of results that every stream's result packet has; their types may differ."""
    packets = list(dict.fromkeys(attempt.result for stream in streams for attempt in stream.attempts))
    fields = look.fitting(
        lambda name, field, where: _result_field(look, name, field, packets, where), entry, place
    )
    return attrs.evolve(text, results=fields)


def stream_of(look: Lookup, name: str, entry: Mapping[str, Any], place: Location) -> StreamPlan:
    """Resolve one stream."""
    attempts = look.fitting(
        lambda _, attempt, where: _attempt(look, attempt, where),
        dict(enumerate(entry["attempts"])),
        place.child("attempts"),
    )
    if not attempts:
        raise AbsentError(LeftOut(place, "there is no endpoint that it could use"))
    tools = entry.get("tools")
    return StreamPlan(
        name=name,
        description=entry["description"],
        input=Input(**entry["input"]),
        tools=None
        if tools is None
        else ToolsInput(
            option=tools["option"],
            type=look.type(tools["type"], place.child("tools", "type")),
            template=tools["template"],
        ),
        refuses=entry["refuses"],
        attempts=attempts,
    )


def _attempt(look: Lookup, entry: Mapping[str, Any], place: Location) -> AttemptPlan:
    endpoint = look.endpoint("channel", entry["endpoint"], place.child("endpoint"))
    template = look.template(entry["template"], place.child("template"), endpoint.request.type)
    events = dict.fromkeys((*entry.get("events", ()), *entry.get("collects", ())))
    return AttemptPlan(
        descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
        template=template,
        default_fields=entry["default_fields"],
        yields=_yields(look, endpoint, entry["yields"], place.child("yields")),
        progress=look.progress(endpoint, entry["progress"], place.child("progress")),
        events=look.present(
            lambda tag, _, where: look.packet(endpoint, tag, where), events, place.child("events")
        ),
        collects=look.present(
            lambda tag, kept, where: _collected(look, endpoint, tag, kept, where),
            entry.get("collects", {}),
            place.child("collects"),
        ),
        result=look.packet(endpoint, entry["result"], place.child("result")),
    )


def _yields(look: Lookup, endpoint: Endpoint, entries: Mapping[str, str], place: Location) -> YieldingPacket:
    ((tag, field),) = entries.items()
    packet, attribute = look.packet_fields(endpoint, entries, place)[0]
    discriminator, _ = look.packets(endpoint)
    return YieldingPacket(packet=packet, attribute=attribute, tag=(discriminator, tag), field=field)


def _collected(
    look: Lookup, endpoint: Endpoint, tag: str, entry: Mapping[str, str], place: Location
) -> CollectedPacket:
    packet, attribute = look.packet_fields(endpoint, {tag: entry["field"]}, place)[0]
    return CollectedPacket(packet=packet, attribute=attribute, name=entry["as"])


def _result_field(
    look: Lookup, name: str, entry: Mapping[str, Any], packets: Sequence[ClassRef], place: Location
) -> ResultField:
    where = place.child("field")
    types = [Named(look.key(packet)) for packet in packets]
    attributes = {look.attribute(type_, entry["field"], where) for type_ in types}
    hints: list[ClassRef] = []
    for type_ in types:
        keys = list(names_in(look.field_type(type_, entry["field"])))
        hints.append(look.known(look.ref(keys[0]) if keys else None, where, "has no named type"))
    (attribute,) = attributes
    return ResultField(
        name=name,
        attribute=attribute,
        hints=list(dict.fromkeys(hints)),
        reads=entry.get("reads"),
        description=entry["description"],
    )
