"""Resolves what ``schema/surface`` says of streams of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmwire_codegen.problems import Location
from lmwire_codegen.shapes import Named
from lmwire_codegen.surface_lookup import Lookup, names_in
from lmwire_codegen.surface_model import AttemptPlan, ClassRef, ResultField, StreamPlan
from lmwire_codegen.surface_names import AbsentError, LeftOut

__all__ = ["stream_of"]


def stream_of(look: Lookup, name: str, entry: Mapping[str, Any], place: Location) -> StreamPlan:
    fragment = look.type(entry["fragment"], place.child("fragment"))
    message_type = look.type(entry["message_type"], place.child("message_type"))
    attempts = look.present(
        lambda _, attempt, where: _attempt(look, attempt, where),
        dict(enumerate(entry["attempts"])),
        place.child("attempts"),
    )
    if not attempts:
        raise AbsentError(LeftOut(place, "there is no endpoint that it could use"))
    return StreamPlan(
        name=name,
        description=entry["description"],
        stream_class=entry["stream_class"],
        result_class=entry["result_class"],
        fragment=fragment,
        text=look.attribute(Named(look.key(fragment)), entry["text"], place.child("text")),
        options=entry["options"],
        structured_option=entry["structured_option"],
        refuses=entry["refuses"],
        message=entry["message"],
        message_type=message_type,
        message_decoder=look.decoder(message_type),
        results=look.present(
            lambda key, value, where: _result_field(look, key, value, attempts[0].result, where),
            entry["results"],
            place.child("results"),
        ),
        attempts=attempts,
    )


def _attempt(look: Lookup, entry: Mapping[str, Any], place: Location) -> AttemptPlan:
    endpoint = look.endpoint("channel", entry["endpoint"], place.child("endpoint"))
    template = look.template(entry["template"], place.child("template"), endpoint.request.type)
    return AttemptPlan(
        descriptor=ClassRef(name=endpoint.constant, module=endpoint.module),
        template=template,
        default_fields=entry["default_fields"],
        fragment=look.packet_fields(endpoint, entry["yields"], place.child("yields"))[0],
        progress=look.progress(endpoint, entry["progress"], place.child("progress")),
        result=look.packet(endpoint, entry["result"], place.child("result")),
    )


def _result_field(
    look: Lookup, name: str, entry: Mapping[str, Any], packet: ClassRef, place: Location
) -> ResultField:
    type_ = Named(look.key(packet))
    keys = list(names_in(look.field_type(type_, entry["field"])))
    attribute = look.attribute(type_, entry["field"], place.child("field"))
    hint = look.known(look.ref(keys[0]) if keys else None, place.child("field"), "has no named type")
    return ResultField(
        name=name,
        attribute=attribute,
        hint=hint,
        reads=entry.get("reads"),
        description=entry["description"],
    )
