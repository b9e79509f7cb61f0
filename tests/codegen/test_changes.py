"""What changed in meaning from one export to another, and whom it breaks: a small pair of exports for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from lmwire_codegen.changes.rules import RULES
from lmwire_codegen.changes.values import Report
from lmwire_codegen.sync import diff
from tests.codegen.exports import (
    INTEGER,
    NOTHING,
    STRING,
    an_export,
    an_object,
    export_of_namespaces,
    packet,
    ref,
    write_export,
)

NOBODY, CLIENTS, SERVERS, BOTH = "", "clients", "servers", "clients servers"


@attrs.frozen
class Case:
    """Two exports, and what differs: kind and subject of each change, and whom it breaks."""

    title: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    expected: list[tuple[str, str, str]]


def sent(**kinds: Any) -> dict[str, Any]:
    """An rpc ``buy`` with this parameter."""
    return an_export(
        kinds.pop("types", {}), rpc={"buy": {"parameter": kinds["parameter"], "returns": NOTHING}}
    )


def answered(schema: Any, **types: Any) -> dict[str, Any]:
    """An rpc ``get`` with this result."""
    return an_export(types, rpc={"get": {"parameter": NOTHING, "returns": schema}})


def swapped(cup: Any) -> dict[str, Any]:
    """An rpc whose parameter and result hold the same type."""
    return an_export(
        {"cup": cup}, rpc={"swap": {"parameter": an_object("c", c=ref("cup")), "returns": ref("cup")}}
    )


def asked(*required: str, **properties: Any) -> dict[str, Any]:
    return sent(parameter=an_object(*required, **properties))


def told(*required: str, **properties: Any) -> dict[str, Any]:
    return answered(an_object(*required, **properties))


def streamed(**packets: list[Any]) -> dict[str, Any]:
    parts = {name: {"anyOf": arms} for name, arms in packets.items()}
    return an_export({}, channel={"watch": {"creationParameter": NOTHING, **parts}})


def with_value(schema: Any) -> dict[str, Any]:
    return told("v", v=schema)


BUY, GET = "shop/rpc/buy/parameter", "shop/rpc/get/result"
NULLABLE = {"type": ["string", "null"]}
LIMITED = {"type": "integer", "minimum": 0, "maximum": 9}

CASES = [
    Case("nothing", asked("a", a=STRING), asked("a", a=STRING), []),
    Case("only words", asked(a=STRING), asked(a={**STRING, "description": "New."}), []),
    Case(
        "an endpoint is added",
        an_export({}, rpc={"buy": {}}),
        an_export({}, rpc={"buy": {}, "sell": {"parameter": an_object("a", a=STRING)}}),
        [("endpoint-added", "shop/rpc/sell", NOBODY)],
    ),
    Case(
        "an endpoint is removed",
        an_export({}, rpc={"buy": {}, "sell": {}}),
        an_export({}, rpc={"buy": {}}),
        [("endpoint-removed", "shop/rpc/sell", CLIENTS)],
    ),
    Case(
        "an rpc becomes a channel",
        an_export({}, rpc={"buy": {}}),
        an_export({}, channel={"buy": {}}),
        [("endpoint-removed", "shop/rpc/buy", CLIENTS), ("endpoint-added", "shop/channel/buy", NOBODY)],
    ),
    Case(
        "a namespace is added",
        export_of_namespaces({}, {"shop": {"rpc": {"buy": {}}}}),
        export_of_namespaces({}, {"shop": {"rpc": {"buy": {}}}, "bank": {"rpc": {"pay": {}}}}),
        [("namespace-added", "bank", NOBODY)],
    ),
    Case(
        "a namespace is removed",
        export_of_namespaces({}, {"shop": {"rpc": {"buy": {}}}, "bank": {"rpc": {"pay": {}}}}),
        export_of_namespaces({}, {"shop": {"rpc": {"buy": {}}}}),
        [("namespace-removed", "bank", CLIENTS)],
    ),
    # fields, towards the server
    Case("sent, added, required", asked(), asked("a", a=STRING), [("added-required", f"{BUY}.a", CLIENTS)]),
    Case("sent, added, optional", asked(), asked(a=STRING), [("added-optional", f"{BUY}.a", NOBODY)]),
    Case("sent, removed, required", asked("a", a=STRING), asked(), [("removed-required", f"{BUY}.a", SERVERS)]),
    Case("sent, removed, optional", asked(a=STRING), asked(), [("removed-optional", f"{BUY}.a", NOBODY)]),
    Case("sent, made required", asked(a=STRING), asked("a", a=STRING), [("made-required", f"{BUY}.a", CLIENTS)]),
    Case("sent, made optional", asked("a", a=STRING), asked(a=STRING), [("made-optional", f"{BUY}.a", SERVERS)]),
    # fields, towards the client
    Case("told, added, required", told(), told("a", a=STRING), [("added-required", f"{GET}.a", SERVERS)]),
    Case("told, added, optional", told(), told(a=STRING), [("added-optional", f"{GET}.a", NOBODY)]),
    Case("told, removed, required", told("a", a=STRING), told(), [("removed-required", f"{GET}.a", CLIENTS)]),
    Case("told, removed, optional", told(a=STRING), told(), [("removed-optional", f"{GET}.a", NOBODY)]),
    Case("told, made required", told(a=STRING), told("a", a=STRING), [("made-required", f"{GET}.a", SERVERS)]),
    Case("told, made optional", told("a", a=STRING), told(a=STRING), [("made-optional", f"{GET}.a", CLIENTS)]),
    # both ways at once
    Case(
        "a type that goes both ways",
        swapped(an_object()),
        swapped(an_object("a", a=STRING)),
        [("added-required", "Cup.a", BOTH)],
    ),
    # types of values
    Case("retyped", with_value(STRING), with_value(INTEGER), [("retyped", f"{GET}.v", BOTH)]),
    Case("integer to number", with_value(INTEGER), with_value({"type": "number"}), [("widened", f"{GET}.v", CLIENTS)]),
    Case("number to integer", with_value({"type": "number"}), with_value(INTEGER), [("narrowed", f"{GET}.v", SERVERS)]),
    Case("null too", with_value(STRING), with_value(NULLABLE), [("widened", f"{GET}.v", CLIENTS)]),
    Case("null no more", with_value(NULLABLE), with_value(STRING), [("narrowed", f"{GET}.v", SERVERS)]),
    Case("anything", with_value({"type": "boolean"}), with_value({}), [("widened", f"{GET}.v", CLIENTS)]),
    Case(
        "another alternative", with_value(STRING), with_value({"anyOf": [STRING, INTEGER]}),
        [("widened", f"{GET}.v", CLIENTS)],
    ),
    Case("a limit goes", with_value(LIMITED), with_value(INTEGER), [("widened", f"{GET}.v", CLIENTS)]),
    Case("a limit comes", with_value(INTEGER), with_value(LIMITED), [("narrowed", f"{GET}.v", SERVERS)]),
    Case(
        "limits move", with_value(LIMITED), with_value({**LIMITED, "minimum": 1, "maximum": 10}),
        [("retyped", f"{GET}.v", BOTH)],
    ),
    Case(
        "elements of an array", with_value({"type": "array", "items": INTEGER}),
        with_value({"type": "array", "items": {"type": "number"}}), [("widened", f"{GET}.v", CLIENTS)],
    ),
    Case(
        "values of a map", with_value({"type": "object", "additionalProperties": INTEGER}),
        with_value({"type": "object", "additionalProperties": STRING}), [("retyped", f"{GET}.v", BOTH)],
    ),
    Case(
        "a pair becomes a triple", with_value({"type": "array", "items": [STRING, STRING]}),
        with_value({"type": "array", "items": [STRING, STRING, STRING]}), [("retyped", f"{GET}.v", BOTH)],
    ),
    Case("object to text", with_value(an_object(a=STRING)), with_value(STRING), [("retyped", f"{GET}.v", BOTH)]),
    Case("the result itself", answered(STRING), answered(INTEGER), [("retyped", GET, BOTH)]),
    Case("a constant changes", with_value({"const": "a"}), with_value({"const": "b"}), [("retyped", f"{GET}.v", BOTH)]),
    # parts of endpoints
    Case("void no more", answered(NOTHING), answered(STRING), [("added-required", GET, SERVERS)]),
    Case("void now", answered(STRING), answered(NOTHING), [("removed-required", GET, CLIENTS)]),
    Case("may be void", answered(STRING), answered({"anyOf": [NOTHING, STRING]}), [("made-optional", GET, CLIENTS)]),
    Case("never void", answered({"anyOf": [NOTHING, STRING]}), answered(STRING), [("made-required", GET, SERVERS)]),
    Case("a parameter comes", sent(parameter=NOTHING), sent(parameter=STRING), [("added-required", BUY, CLIENTS)]),
    # packets
    Case(
        "a packet to the client is added",
        streamed(toClientPacket=[packet("a")]), streamed(toClientPacket=[packet("a"), packet("b")]),
        [("packet-added", "shop/channel/watch/toClient[b]", NOBODY)],
    ),
    Case(
        "a packet to the client is removed",
        streamed(toClientPacket=[packet("a"), packet("b")]), streamed(toClientPacket=[packet("a")]),
        [("packet-removed", "shop/channel/watch/toClient[b]", BOTH)],
    ),
    Case(
        "a packet to the server is added",
        streamed(toServerPacket=[packet("a")]), streamed(toServerPacket=[packet("a"), packet("b")]),
        [("packet-added", "shop/channel/watch/toServer[b]", NOBODY)],
    ),
    Case(
        "a packet to the server is removed",
        streamed(toServerPacket=[packet("a"), packet("b")]), streamed(toServerPacket=[packet("a")]),
        [("packet-removed", "shop/channel/watch/toServer[b]", CLIENTS)],
    ),
    Case(
        "a field of a packet",
        streamed(toClientPacket=[packet("a")]), streamed(toClientPacket=[packet("a", "n", n=INTEGER)]),
        [("added-required", "shop/channel/watch/toClient[a].n", SERVERS)],
    ),
    Case(
        "packets are told apart otherwise",
        answered({"anyOf": [an_object("kind", kind={"const": "a"}), an_object("kind", kind={"const": "b"})]}),
        answered({"anyOf": [an_object("op", op={"const": "a"}), an_object("op", op={"const": "b"})]}),
        [("retagged", GET, BOTH)],
    ),
    # enums
    Case(
        "members of an enum, towards the client",
        answered(ref("size"), size={"type": "string", "enum": ["s", "m"]}),
        answered(ref("size"), size={"type": "string", "enum": ["m", "l"]}),
        [("member-added", "Size=l", NOBODY), ("member-removed", "Size=s", NOBODY)],
    ),
    Case(
        "members of an enum, towards the server",
        sent(parameter=an_object(v=ref("size")), types={"size": {"type": "string", "enum": ["s", "m"]}}),
        sent(parameter=an_object(v=ref("size")), types={"size": {"type": "string", "enum": ["m", "l"]}}),
        [("member-added", "Size=l", NOBODY), ("member-removed", "Size=s", CLIENTS)],
    ),
    # types
    Case(
        "a type is renamed",
        answered(ref("cup"), cup=an_object("a", a=STRING)), answered(ref("mug"), mug=an_object("a", a=STRING)),
        [("type-renamed", "Mug", NOBODY)],
    ),
    Case(
        "a type is renamed and grows",
        answered(ref("cup"), cup=an_object("a", a=STRING)),
        answered(ref("mug"), mug=an_object("a", a=STRING, b=STRING)),
        [("type-renamed", "Mug", NOBODY), ("added-optional", "Mug.b", NOBODY)],
    ),
    Case(
        "an object gets a name",
        answered(an_object("c", c=an_object("a", a=STRING))),
        answered(an_object("c", c=ref("cup")), cup=an_object("a", a=STRING)),
        [("type-renamed", "Cup", NOBODY)],
    ),
    Case(
        "a type is split",
        answered(an_object(x=ref("cup"), y=ref("cup")), cup=an_object("a", a=STRING)),
        answered(an_object(x=ref("mug"), y=ref("jug")), mug=an_object("a", a=STRING), jug=an_object("a", a=STRING)),
        [("type-renamed", "Jug", NOBODY), ("type-split", "Mug", NOBODY)],
    ),
    Case(
        "types come and go with what they are for",
        answered(an_object(x=ref("cup")), cup=an_object("a", a=STRING)),
        answered(an_object(y=ref("jug")), jug=an_object("b", b=STRING)),
        [
            ("removed-optional", f"{GET}.x", NOBODY), ("added-optional", f"{GET}.y", NOBODY),
            ("type-removed", "Cup", NOBODY), ("type-added", "Jug", NOBODY),
        ],
    ),
    # signals
    Case(
        "a signal becomes writable",
        an_export({}, signal={"n": {"signalData": INTEGER}}),
        an_export({}, writableSignal={"n": {"signalData": INTEGER}}),
        [("made-writable", "shop/signal/n", NOBODY)],
    ),
    Case(
        "a signal becomes read-only",
        an_export({}, writableSignal={"n": {"signalData": INTEGER}}),
        an_export({}, signal={"n": {"signalData": INTEGER}}),
        [("made-read-only", "shop/signal/n", CLIENTS)],
    ),
]  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A schema folder for what exports lack."""
    folder = tmp_path / "schema"
    folder.mkdir()
    (folder / "revision.json").write_text('{"revision": "2000-01-01"}', encoding="utf-8")
    return folder


def report_of(base: Path, old: Any, new: Any) -> Report:
    before = write_export(base.parent / "2001-01-01.json", old)
    return diff(before, write_export(base.parent / "2002-02-02.json", new), base)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_change_is_told_and_judged(case: Case, base: Path) -> None:
    report = report_of(base, case.old, case.new)
    found = [
        (
            change.kind,
            change.subject,
            " ".join(
                side
                for side, verdict in ((CLIENTS, change.clients), (SERVERS, change.servers))
                if verdict.breaking
            ),
        )
        for change in report.changes
    ]
    assert sorted(found) == sorted(case.expected)
    assert (report.old, report.new) == ("2001-01-01", "2002-02-02")


def test_every_rule_has_a_case() -> None:
    tried = {kind for case in CASES for kind, _, _ in case.expected}
    assert RULES.keys() - tried == {"serialization-changed"}  # exports do not say it; see below


def test_the_mode_of_serialization_is_part_of_schema_folders(base: Path) -> None:
    """It is a repair, so only folders can differ in it."""
    folders = []
    for mode in ("raw", "superjson"):
        folder = base.parent / mode
        entry = {"parameter": False, "result": STRING, "serialization": mode}
        write_export(folder / "revision.json", {"revision": mode})
        content = {"namespace": "shop", "rpc": {"get": entry}}
        write_export(folder / "wire" / "namespaces" / "shop.json", content)
        folders.append(folder)
    (change,) = diff(folders[0], folders[1], base).changes
    assert (change.kind, change.old, change.new) == ("serialization-changed", "raw", "superjson")
    assert change.clients.breaking
    assert change.servers.breaking


def test_a_change_says_where_it_is_and_with_what_it_travels(base: Path) -> None:
    def export(**more: Any) -> dict[str, Any]:
        cup = an_object(**more)
        rpc = {"get": {"returns": ref("cup")}, "list": {"returns": {"type": "array", "items": ref("cup")}}}
        return an_export({"cup": cup}, rpc=rpc)

    (change,) = report_of(base, export(), export(size=INTEGER)).changes
    assert str(change.place) == "wire/types/common.json#/$defs/Cup/properties/size"
    assert change.directions == ("to client",)
    assert change.endpoints == ("shop/rpc/get", "shop/rpc/list")
    assert (change.old, change.new) == ("", "int")


def test_every_verdict_has_a_reason() -> None:
    for kind, rule in RULES.items():
        for verdict in (*rule.to_server, *rule.to_client):
            assert len(verdict.reason.split()) >= 3, kind
