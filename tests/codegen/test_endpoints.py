"""Parts of endpoints, and names and types with rules of their own: compiled from a snippet, imported, used."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_runtime.descriptors import VOID
from lmwire_runtime.wire import LENIENT, STRICT, UNSET, DecodeError
from tests.codegen.snippets import INTEGER, STRING, an_object, pointer_of_refusal, survives
from tests.codegen.support import Compiler


def test_void_and_optional_parts(compiler: Compiler) -> None:
    package = compiler.namespace(
        rpc={
            "ping": {},
            "find": {
                "parameter": STRING,
                "result": an_object("size", size=INTEGER),
                "optional": ["parameter", "result"],
            },
            "isOpen": {"result": {"type": "boolean"}},
        },
        channel={"alive": {}},
    )
    shop = package.module("shop")
    assert shop.PING.parameter is shop.PING.result is shop.ALIVE.to_client is VOID
    find = shop.FIND
    assert (find.parameter.presence, find.result.presence) == ("optional", "optional")
    assert find.result.encode(None) is UNSET
    assert find.result.decode(UNSET, STRICT) is None
    assert find.result.decode({"size": 1}, STRICT) == shop.FindResult(size=1)
    assert find.result.encode(shop.FindResult(size=1)) == {"size": 1}
    assert find.parameter.encode("cup") == "cup"
    assert shop.IS_OPEN.result.decode(True, STRICT) is True
    with pytest.raises(DecodeError):
        shop.IS_OPEN.result.decode("yes", STRICT)


def test_names_that_python_or_the_generated_code_needs(compiler: Compiler) -> None:
    names = [
        "class",
        "from",
        "self",
        "str",
        "list",
        "classmethod",
        "from_wire",
        "toWire",
        "wireNames",
        "type",
        "data",
        "$ref",
        "2x",
    ]
    things = compiler.types({"None": an_object(*names, **dict.fromkeys(names, STRING))})
    data = {name: name for name in names}
    message = survives(things.None_, data)
    assert (message.class_, message.self_, message.to_wire_, message.ref, message.n2_x) == (
        "class",
        "self",
        "toWire",
        "$ref",
        "2x",
    )
    assert message == things.None_(**things.None_.wire_names)


def test_parameters_of_stubs_give_way_to_the_stub_itself(compiler: Compiler) -> None:
    package = compiler.namespace(
        rpc={
            "buy": {
                "parameter": an_object(
                    "timeout", "shop", "lid", timeout=INTEGER, shop=STRING, lid={"type": ["string", "null"]}
                )
            }
        }
    )
    calls: list[Any] = []

    class Connection:
        def call(self, *arguments: Any, **options: Any) -> None:
            calls.append((*arguments, options))

    package.module("shop.stubs").ShopRpc(Connection()).buy(timeout_=1, shop_="here", lid=None, timeout=9.0)
    ((descriptor, parameter, options),) = calls
    assert descriptor.parameter.encode(parameter) == {"timeout": 1, "shop": "here", "lid": None}
    assert options == {"timeout": 9.0}


def test_a_tolerant_type_drops_odd_fields_one_by_one(compiler: Compiler) -> None:
    things = compiler.types(
        {
            "Reason": {"anyOf": [an_object("code", "size", code={"const": "a"}, size=INTEGER)]},
            "Failure": an_object(
                title=STRING, reason={"$ref": "#/$defs/Reason"}, data={"type": "object"}, odd={}
            ),
        },
        repairs={"tolerant": ["Failure"]},
    )
    odd = {"title": 1, "reason": {"code": "a", "size": "L"}, "data": None, "odd": None}
    assert things.Failure.from_wire(odd, LENIENT).to_wire() == {"odd": None}
    assert (
        things.Failure.from_wire({"title": "x", "reason": {"code": "a", "size": 1}}, LENIENT).reason.size == 1
    )
    assert (
        pointer_of_refusal(things.Failure.from_wire, {"title": "x", "reason": {"code": "a", "size": "L"}})
        == "/reason/size"
    )
    with pytest.raises(DecodeError):
        things.Failure.from_wire("boom", LENIENT)


def test_names_of_endpoints_that_python_or_the_generated_code_needs(compiler: Compiler) -> None:
    result = {"type": "array", "items": STRING}
    names = {"list": "list_", "import": "import_", "namespace": "namespace", "watch": "watch"}
    package = compiler.namespace(rpc={name: {"result": result} for name in names}, channel={"watch": {}})
    table = package.module("shop").NAMESPACE
    assert {name: endpoint.method for name, endpoint in table.rpc.items()} == names
    assert table.channel["watch"].method == "watch_channel"
    for stubs in ("ShopRpc", "AsyncShopRpc", "ShopHandlers"):
        for method in names.values():
            assert callable(getattr(getattr(package.module("shop"), stubs), method))
