"""What an answer is beside its text: packets about calls of tools, told in order, kept for the result, never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lmwire import CancelledError, StateError, llm
from tests.surface.conftest import Scripted

Make = Callable[..., Scripted]

TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}
CALL = {"type": "function", "id": "7", "name": "add", "arguments": {"a": 1}}


def fragment(text: str) -> dict[str, Any]:
    facts = {"tokensCount": 1, "containsDrafted": False, "reasoningType": "none", "isStructural": False}
    return {"type": "fragment", "fragment": {"content": text, **facts}}


ANSWER: list[dict[str, Any]] = [
    fragment("Well"),
    {"type": "toolCallGenerationStart", "toolCallId": "7"},
    {"type": "toolCallGenerationNameReceived", "name": "add"},
    {"type": "toolCallGenerationArgumentFragmentGenerated", "content": '{"a": 1}'},
    {"type": "toolCallGenerationEnd", "toolCallRequest": CALL},
    fragment("."),
    {"type": "toolCallGenerationFailed", "error": {"title": "no JSON"}},
]
MODEL = {
    "type": "llm", "modelKey": "m", "format": "gguf", "displayName": "M", "publisher": "p", "path": "p/m",
    "sizeBytes": 1, "indexedModelIdentifier": "p/m", "deviceIdentifier": None, "vision": False,
    "trainedForToolUse": True,
    "maxContextLength": 9, "identifier": "m", "instanceReference": "r", "ttlMs": None, "lastUsedTime": None,
    "contextLength": 9,
}  # fmt: skip
SUCCESS = {
    "type": "success",
    "stats": {"stopReason": "toolCalls"},
    "modelInfo": MODEL,
    "loadModelConfig": {"fields": []},
    "predictionConfig": {"fields": []},
}
NAMES = [
    "LlmPredictionFragment",
    "PredictToolCallGenerationStart",
    "PredictToolCallGenerationNameReceived",
    "PredictToolCallGenerationArgumentFragmentGenerated",
    "PredictToolCallGenerationEnd",
    "LlmPredictionFragment",
    "PredictToolCallGenerationFailed",
]


def answering(packets: list[dict[str, Any]], end: str = "close") -> dict[str, Any]:
    return {"endpoint": "llm.predict", "reply": {"packets": packets, "end": end}}


CALLS_A_TOOL = answering([*ANSWER, SUCCESS])


def respond(one: Scripted, **options: Any) -> Any:
    return one.shell.call(one.model.respond_stream, "1 and 2?", tools=[TOOL], **options)


def test_events_come_in_order_among_the_fragments(scripted: Make) -> None:
    one = scripted(CALLS_A_TOOL)
    stream = respond(one)

    events = list(one.shell.iterate(stream.events()))

    assert [type(event).__name__ for event in events] == NAMES
    assert [str(event) for event in events if isinstance(event, llm.LlmPredictionFragment)] == ["Well", "."]
    assert events[3].content == '{"a": 1}'
    assert events[4].tool_call_request.to_wire() == CALL
    assert stream.result().content == "Well."


def test_the_stream_itself_gives_text_alone_and_the_result_has_the_rest(scripted: Make) -> None:
    one = scripted(CALLS_A_TOOL)
    stream = respond(one)

    assert [str(fragment) for fragment in one.shell.iterate(stream)] == ["Well", "."]

    result = stream.result()
    assert [call.to_wire() for call in result.tool_calls] == [CALL]
    assert [failure.title for failure in result.tool_call_failures] == ["no JSON"]
    assert result.stats.stop_reason == "toolCalls"
    assert result.message.to_wire() == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Well."}, {"type": "toolCallRequest", "toolCallRequest": CALL}],
    }


def test_callbacks_are_called_before_what_they_tell_is_yielded(scripted: Make) -> None:
    one = scripted(CALLS_A_TOOL)
    seen: list[str] = []
    stream = respond(
        one,
        on_tool_call=lambda call: seen.append(call.name),
        on_prediction_fragment=lambda fragment: seen.append(fragment.content),
        on_message=lambda message: seen.append(f"{len(message.content)} parts"),
    )

    for event in one.shell.iterate(stream.events()):
        seen.append(f"yielded {type(event).__name__}")

    assert [entry for entry in seen if "yielded" not in entry] == ["Well", "add", ".", "2 parts"]
    assert seen.index("add") == seen.index("yielded PredictToolCallGenerationEnd") - 1


def test_a_call_of_a_tool_without_text(scripted: Make) -> None:
    one = scripted(answering([ANSWER[4], SUCCESS]))
    seen: list[Any] = []

    result = one.shell.call(
        one.model.respond,
        "Hi",
        on_prompt_processing_progress=seen.append,
        on_first_token=lambda: seen.append("first token"),
    )

    assert seen == [0.0, 1.0]
    assert result.content == ""
    assert [part["type"] for part in result.message.to_wire()["content"]] == ["toolCallRequest"]


def test_tools_are_sent_as_data_and_their_results_as_messages(scripted: Make) -> None:
    one = scripted(CALLS_A_TOOL)
    tool = llm.LlmToolFunction.from_wire(TOOL)
    chat: list[Any] = [{"role": "user", "content": "1 and 2?"}]

    result = one.shell.call(one.model.respond, chat, tools=[tool])
    chat.append(result.message)
    chat += [
        {"role": "tool", "tool_call_id": call.id, "content": str(call.arguments["a"] + 2)}
        for call in result.tool_calls
    ]
    one.shell.call(one.model.respond, chat, tools=[TOOL])

    requests = [frame["creationParameter"] for frame in one.frames.received(endpoint="predict")]
    for request in requests:
        (field,) = request["predictionConfigStack"]["layers"][0]["config"]["fields"]
        assert field == {"key": "llm.prediction.tools", "value": {"type": "toolArray", "tools": [TOOL]}}
    assert requests[1]["history"]["messages"][2] == {
        "role": "tool",
        "content": [{"type": "toolCallResult", "content": "3", "toolCallId": "7"}],
    }


def test_a_completion_has_no_events(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": [" a", " b"]}})
    stream = one.stream()

    assert [str(event) for event in one.shell.iterate(stream.events())] == [" a", " b"]
    with pytest.raises(StateError, match="has ended"):
        stream.events()


def test_leaving_events_stops_the_server(scripted: Make) -> None:
    one = scripted(answering(ANSWER, end="hang"))
    stream = respond(one)

    one.shell.leave_after(stream.events(), 2)

    one.frames.wait_received({"type": "channelSend", "message": {"type": "cancel"}})
    with pytest.raises(CancelledError):
        stream.result()


def test_a_callback_that_raises_ends_the_stream(scripted: Make) -> None:
    one = scripted(answering(ANSWER, end="hang"))

    def fail(call: Any) -> None:
        raise ZeroDivisionError(call.name)

    with pytest.raises(ZeroDivisionError, match="add"):
        one.shell.call(respond(one, on_tool_call=fail).wait_for_result)
    one.frames.wait_received({"type": "channelSend", "message": {"type": "cancel"}})


def test_what_a_newer_server_sends_besides_does_no_harm(scripted: Make) -> None:
    one = scripted(answering([{"type": "toolCallGenerationThought", "thought": "hm"}, *ANSWER, SUCCESS]))

    assert [type(event).__name__ for event in one.shell.iterate(respond(one).events())] == NAMES
