"""Chats: what callers may write, what is sent of it, and what is refused before anything is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lmwire import UsageError, llm
from lmwire.llm.plans import chat
from tests.surface.conftest import KEY, Scripted

Make = Callable[..., Scripted]

HELLO = {"reply": {"fragments": [" Anna", ".", " Hello"], "progress": [0.25, 0.75]}}
HI = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
FILE = {"type": "file", "name": "a.png", "identifier": "f1", "sizeBytes": 3, "fileType": "image"}
SNAKE_FILE = {"type": "file", "name": "a.png", "identifier": "f1", "size_bytes": 3, "file_type": "image"}
CALL = {"type": "function", "id": "7", "name": "add", "arguments": {"first_number": 1, "b": None}}
CALLING = {"role": "assistant", "content": [{"type": "toolCallRequest", "toolCallRequest": CALL}]}
ANSWERED = {"role": "tool", "content": [{"type": "toolCallResult", "content": "3", "toolCallId": "7"}]}


def one_message() -> Iterator[dict[str, str]]:
    yield {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ("Hi", [HI]),
        ([{"role": "user", "content": "Hi"}], [HI]),
        (one_message(), [HI]),
        ({"role": "user", "content": "Hi"}, [HI]),
        ({"messages": [{"role": "user", "content": ["Hi"]}]}, [HI]),
        (llm.ChatHistoryData.from_wire({"messages": [HI]}), [HI]),
        ([llm.ChatMessageDataUser(content=[llm.ChatMessagePartTextData(text="Hi")])], [HI]),
        ([], []),
        (
            [
                {"role": "system", "content": "Be brief."},
                {"role": "assistant", "content": {"type": "text", "text": "Yes"}},
            ],
            [
                {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
                {"role": "assistant", "content": [{"type": "text", "text": "Yes"}]},
            ],
        ),
        (
            [{"role": "user", "content": ["Hi", llm.ChatMessagePartFileData.from_wire(FILE)]}],
            [{"role": "user", "content": [*HI["content"], FILE]}],
        ),
        (
            [{"role": "user", "content": [SNAKE_FILE]}],
            [{"role": "user", "content": [FILE]}],
        ),
        # Calls of tools, and what came of them.
        ([{"role": "assistant", "content": CALL}], [CALLING]),
        ([{"role": "assistant", "content": [llm.FunctionToolCallRequest.from_wire(CALL)]}], [CALLING]),
        ([CALLING], [CALLING]),
        ([{"role": "tool", "tool_call_id": "7", "content": "3"}], [ANSWERED]),
        ([{"role": "tool", "content": [{"type": "toolCallResult", "tool_call_id": "7", "content": "3"}]}], [ANSWERED]),
        (
            [{"role": "tool", "content": "3"}],
            [{"role": "tool", "content": [{"type": "toolCallResult", "content": "3"}]}],
        ),
    ],
)  # fmt: skip
def test_what_is_sent(given: Any, messages: Any) -> None:
    assert chat().to_wire(given, "history") == {"messages": messages}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (5, "history must be text, a list of messages such as"),
        (None, "history must be text"),
        (b"Hi", "history must be text"),
        ({"messages": "Hi"}, "history must be text"),
        ({"messages": [], "model": "x"}, "history must be text"),
        (["Hi"], "each message of history must be a dict"),
        ([{"role": "robot", "content": "Hi"}], r"/messages/0: .*\(assistant, system, tool, user\)"),
        ([HI, {"role": "user"}], "/messages/1/content"),
        ([{"role": "user", "content": 5}], "/messages/0/content"),
        ([{"role": "user", "content": [5]}], "/messages/0/content/0"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "/messages/0/content/0"),
        ([{"role": "user", "content": "Hi", "name": "Bob"}], "/messages/0/name"),
        ([{"role": "user", "content": [{**FILE, "sizeBytes": "3"}]}], "/messages/0/content/0/sizeBytes"),
        ([{"role": "assistant", "content": [{**CALL, "arguments": {"a": object()}}]}], "a JSON value"),
    ],
)
def test_what_is_refused(given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        chat().to_wire(given, "history")


def test_nothing_that_was_given_is_changed() -> None:
    given = [{"role": "user", "content": ["Hi", dict(FILE)]}]

    chat().to_wire(given, "history")["messages"][0]["content"][1]["name"] = "b.png"

    assert given == [{"role": "user", "content": ["Hi", FILE]}]


def test_respond_sends_the_chat_and_nothing_else(scripted: Make) -> None:
    one = scripted(HELLO)

    result = one.shell.call(one.model.respond, "Hi", preset="steady", config={"maxTokens": 5})

    assert str(result) == " Anna. Hello"
    (created,) = one.frames.received(type="channelCreate")
    assert created["endpoint"] == "predict"
    assert created["creationParameter"] == {
        "modelSpecifier": {"type": "query", "query": {"identifier": KEY}},
        "history": {"messages": [HI]},
        "fuzzyPresetIdentifier": "steady",
        "predictionConfigStack": {
            "layers": [
                {
                    "layerName": "apiOverride",
                    "config": {
                        "fields": [
                            {"key": "llm.prediction.maxPredictedTokens", "value": {"checked": True, "value": 5}}
                        ]
                    },
                }
            ]
        },
    }  # fmt: skip


@pytest.mark.parametrize("generation", ["2026", "2025"])
def test_an_answer_streams_like_a_completion(scripted: Make, generation: str) -> None:
    one = scripted(HELLO, generation=generation)
    seen: list[Any] = []
    stream = one.shell.call(
        one.model.respond_stream,
        [{"role": "user", "content": "Hi"}],
        on_prompt_processing_progress=seen.append,
        on_first_token=lambda: seen.append("first"),
        on_prediction_fragment=lambda fragment: seen.append(fragment.content),
        on_message=seen.append,
    )

    assert [str(fragment) for fragment in one.shell.iterate(stream)] == [" Anna", ".", " Hello"]

    result = stream.result()
    assert seen == [0.0, 0.25, 0.75, 1.0, "first", " Anna", ".", " Hello", result.message]
    assert result.message.to_wire() == {
        "role": "assistant",
        "content": [{"type": "text", "text": " Anna. Hello"}],
    }
    assert result.tool_calls == []
    assert result.tool_call_failures == []
    assert stream.stats.stop_reason == "eosFound"
    assert one.frames.sent(type="communicationWarning") == []


def test_a_conversation_goes_on_with_the_message_of_the_result(scripted: Make) -> None:
    one = scripted(HELLO)
    chat: list[Any] = [{"role": "user", "content": "Hi"}]

    chat.append(one.shell.call(one.model.respond, chat).message)
    chat.append({"role": "user", "content": "Bye"})
    one.shell.call(one.model.respond, chat, on_message=chat.append)

    created = one.frames.received(type="channelCreate")[-1]
    assert [
        (message["role"], message["content"][0]["text"])
        for message in created["creationParameter"]["history"]["messages"]
    ] == [("user", "Hi"), ("assistant", " Anna. Hello"), ("user", "Bye")]
    assert len(chat) == 4


def test_cancelling_an_answer_gives_what_there_is(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": [{"text": " word", "delay": 0.005}] * 3000}})
    stream = one.shell.call(one.model.respond_stream, "Hi")
    fragments = one.shell.iterate(stream)

    next(fragments)
    one.shell.call(stream.cancel)
    for _ in fragments:
        pytest.fail("what comes after a cancel is dropped")

    assert stream.result().content == " word"
    assert stream.result().stats.stop_reason == "userStopped"


def test_an_answer_of_a_given_shape(scripted: Make) -> None:
    one = scripted({"reply": {"fragments": ['{"x": 7}']}})

    result = one.shell.call(one.model.respond, "Hi", response_format={"type": "object"})

    assert result.parsed == {"x": 7}


@pytest.mark.parametrize(
    ("chat", "options", "words"),
    [
        (5, {}, "history must be text"),
        ("Hi", {"config": {"maxTokenz": 5}}, "maxTokens"),
        ("Hi", {"tools": {"type": "function"}}, "tools must be a list"),
        ("Hi", {"tools": [5]}, r"tools\[0\] must be a dict"),
        ("Hi", {"tools": [], "config": {"rawTools": {"type": "none"}}}, "either tools or the option 'rawTools'"),
        ("Hi", {"on_tool_call": 5}, "on_tool_call must be a function"),
    ],
)  # fmt: skip
def test_misuse_is_refused_before_anything_is_sent(
    scripted: Make, chat: Any, options: dict[str, Any], words: str
) -> None:
    one = scripted(HELLO)

    with pytest.raises(UsageError, match=words):
        one.shell.call(one.model.respond, chat, **options)
    assert one.frames.received(type="channelCreate") == []


def test_a_prompt_template_is_applied(scripted: Make) -> None:
    one = scripted(HELLO)
    marks = {"User": "<>", "Assistant": "[]", "System": "{}"}
    pieces = {
        f"{where}{role}": mark[where == "after"]
        for role, mark in marks.items()
        for where in ("before", "after")
    }
    template = {"type": "manual", "stopStrings": [], "manualPromptTemplate": pieces}

    text = one.shell.call(
        one.model.apply_prompt_template, "Hi", {"omit_bos_token": True}, config={"promptTemplate": template}
    )

    assert text == "<Hi>["
    (called,) = one.frames.received(endpoint="applyPromptTemplate")
    assert called["parameter"]["opts"] == {"omitBosToken": True}
    assert called["parameter"]["history"] == {"messages": [HI]}


@pytest.mark.parametrize(
    ("opts", "words"),
    [(5, "opts must be a dict"), ({"omit": True}, "/opts/omit"), ({"omitBosToken": 1}, "/opts")],
)
def test_options_of_a_template_that_do_not_fit_are_refused(scripted: Make, opts: Any, words: str) -> None:
    one = scripted(HELLO)

    with pytest.raises(UsageError, match=words):
        one.shell.call(one.model.apply_prompt_template, "Hi", opts)
    assert one.frames.received(endpoint="applyPromptTemplate") == []
