"""Failures that a script provokes, as in ``test_refusals``, and what a script sends that is odd but legal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from lmstudio import exceptions as official
from lmwire import (
    ChannelError,
    ConnectionLostError,
    IncompleteError,
    RefusedRequestError,
    RemoteError,
    RequestTimeoutError,
    RpcError,
    UnsupportedEndpointError,
)
from lmwire_emulator import Generation
from tests.surface.refusals import Bench, Make, Refusal, any_model, check

ANSWER: Final = {"reply": {"fragments": [" Anna"]}}


def load_rule(end: Any) -> dict[str, Any]:
    reply = {"progress": [0, 0.5], "end": end}
    return {"load": "emulator/ngram-vision", "times": 1, "reply": reply}


def prompt_rule(end: Any) -> dict[str, Any]:
    return {"match": {"exact": "My name is"}, "times": 1, "reply": {"fragments": [" a"], "end": end}}


def call_rule(end: Any) -> dict[str, Any]:
    return {"endpoint": "llm.countTokens", "times": 1, "reply": {"end": end}}


def channel_rule(end: Any) -> dict[str, Any]:
    return {"endpoint": "system.alive", "times": 1, "reply": {"end": end}}


def load(bench: Bench, **options: Any) -> Any:
    return bench.model("emulator/ngram-vision", **options)


def predict(bench: Bench, **options: Any) -> Any:
    return bench.complete(**options)


def count(bench: Bench, **options: Any) -> Any:
    return bench.rpc("llm.count_tokens", specifier=any_model(), input_string="x", **options)


def alive(bench: Bench, **options: Any) -> Any:
    return bench.packets("system.alive", **options)


@attrs.frozen
class Scripted:
    """What can be scripted: the rule for an end, the call that meets it, the endpoint that fails, and how."""

    rule: Callable[[Any], dict[str, Any]]
    call: Callable[..., Any]
    endpoint: str
    error: type[RemoteError] = ChannelError


SCRIPTED: Final = {
    "load": Scripted(load_rule, load, "llm.getOrLoad"),
    "prediction": Scripted(prompt_rule, predict, ""),
    "call": Scripted(call_rule, count, "llm.countTokens", RpcError),
    "channel": Scripted(channel_rule, alive, "system.alive"),
}
FACTS: Final[dict[str, Any]] = {
    "title": "Out of memory",
    "cause": "There is none.",
    "suggestion": "Buy some.",
    "display_data": {"code": "generic.identifierNotFound", "identifier": "x"},
}


@pytest.mark.parametrize("what", SCRIPTED)
@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (FACTS, FACTS),
        ({"title": "Bare title"}, {"title": "Bare title"}),
        ("bare text", {"title": "bare text"}),
        (None, {"title": "Unknown error"}),
    ],
    ids=["object", "title", "text", "null"],
)
def test_scripted_errors(bench: Make, what: str, error: Any, facts: dict[str, Any]) -> None:
    scripted = SCRIPTED[what]
    refusal = Refusal(call=scripted.call, error=scripted.error, endpoint=scripted.endpoint, **facts)

    check(refusal, bench(scripted.rule({"error": error}), ANSWER))


@pytest.mark.parametrize("code", ["generic.noModelMatchingQuery", "generic.pathNotFound"])
def test_a_scripted_reason_makes_the_official_class(bench: Make, code: str) -> None:
    data = {"code": code, "path": "a/b"}
    error = {"title": "Not here", "display_data": data}
    refusal = Refusal(
        call=load,
        error=ChannelError,
        endpoint="llm.getOrLoad",
        official=official.LMStudioModelNotFoundError,
        title="Not here",
        display_data=data,
    )

    check(refusal, bench(load_rule({"error": error})))


@pytest.mark.parametrize("what", ["load", "prediction", "call", "channel"])
def test_scripted_losses_of_the_connection(bench: Make, what: str) -> None:
    scripted = SCRIPTED[what]
    refusal = Refusal(
        call=scripted.call,
        error=ConnectionLostError,
        endpoint=scripted.endpoint,
        official=official.LMStudioWebsocketError,
    )

    check(refusal, bench(scripted.rule("drop"), ANSWER))


@pytest.mark.parametrize("what", ["load", "prediction", "call"])
def test_scripted_silence(bench: Make, what: str) -> None:
    scripted = SCRIPTED[what]
    refusal = Refusal(
        call=lambda bench: scripted.call(bench, timeout=0.2),
        error=RequestTimeoutError,
        endpoint=scripted.endpoint,
        official=official.LMStudioTimeoutError,
        says="0.2 s",
    )

    check(refusal, bench(scripted.rule("hang"), ANSWER))


@pytest.mark.parametrize("what", ["load", "prediction"])
def test_scripted_ends_without_a_result(bench: Make, what: str) -> None:
    scripted = SCRIPTED[what]
    refusal = Refusal(
        call=scripted.call,
        error=IncompleteError,
        endpoint=scripted.endpoint,
        official=official.LMStudioError,
        says="result",
    )

    check(refusal, bench(scripted.rule("close"), ANSWER))


@pytest.mark.parametrize("what", ["call", "channel"])
@pytest.mark.parametrize(
    ("end", "error", "kind"),
    [
        ("unknown", UnsupportedEndpointError, "EndpointUnknown"),
        ("unhandled", UnsupportedEndpointError, "EndpointUnhandled"),
        ("bad_parameter", RefusedRequestError, "ParameterTypeError"),
    ],
)
def test_scripted_warnings(
    bench: Make, generation: Generation, what: str, end: str, error: type[Any], kind: str
) -> None:
    scripted = SCRIPTED[what]
    refusal = Refusal(
        call=scripted.call, error=error, endpoint=scripted.endpoint, official=official.LMStudioError
    )
    one = bench(scripted.rule(end), scripted.rule(end))

    check(refusal, one)
    with pytest.raises(error) as caught:
        scripted.call(one)
    # An endpoint that is not there is not asked for again, so that the second exception is the client's own.
    if end == "bad_parameter":
        assert str(caught.value.kind).endswith(kind if generation == "2026" else "None")


def test_a_prediction_that_fails_leaves_what_came_before(bench: Make) -> None:
    one = bench(prompt_rule({"error": FACTS}))
    stream = one.shell.call(one.model().complete_stream, "My name is")

    taken: list[str] = []
    with pytest.raises(ChannelError, match="Out of memory"):
        taken.extend(str(fragment) for fragment in one.shell.iterate(stream))
    assert taken == [" a"]
    with pytest.raises(ChannelError, match="Out of memory"):
        stream.result()


class TestOddButLegal:
    """What a script sends as it is, and clients take."""

    def test_a_whole_number_with_a_fraction(self, bench: Make) -> None:
        assert (
            count(
                bench({"endpoint": "llm.countTokens", "reply": {"result": {"tokenCount": 3.0}}})
            ).token_count
            == 3
        )

    def test_keys_of_a_newer_server(self, bench: Make) -> None:
        result = {"tokenCount": 3, "tokenKinds": ["a", "b"]}

        assert count(bench({"endpoint": "llm.countTokens", "reply": {"result": result}})).token_count == 3

    def test_null_for_void(self, bench: Make) -> None:
        one = bench({"endpoint": "llm.unloadModel", "reply": {"result": None}})

        assert one.rpc("llm.unload_model", identifier="x") is None

    def test_an_endpoint_that_the_emulator_does_not_handle(self, bench: Make) -> None:
        one = bench({"endpoint": "plugins.reindexPlugins", "reply": {"result": None}})

        assert one.rpc("plugins.reindex_plugins") is None

    def test_packets_of_a_newer_server(self, bench: Make) -> None:
        info = {
            "type": "llm", "modelKey": "a/b", "format": "gguf", "displayName": "B", "path": "a/b/c", "sizeBytes": 1,
            "vision": False, "trainedForToolUse": False, "maxContextLength": 8, "identifier": "mine",
            "instanceReference": "i", "contextLength": 8,
        }  # fmt: skip
        packets = [
            {"type": "warmingUp"},
            {"type": "loadProgress", "progress": 1},
            {"type": "alreadyLoaded", "info": info},
        ]
        one = bench({"endpoint": "llm.getOrLoad", "reply": {"packets": packets}})

        assert one.model("whatever").identifier == "mine"
