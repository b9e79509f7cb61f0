"""Chats as the official SDK has them: what becomes of each way to make one is the same here."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lmstudio
from lmstudio import LLM, Chat
from lmwire_emulator import EmulatorThread, parse_script
from tests.support.requirements import requires

PROGRAM = Path(__file__).with_name("chats_of_lmstudio.py")
CALL = {"type": "function", "id": "7", "name": "add", "arguments": {"a": 1}}


def outcomes(interpreter: Path | str) -> dict[str, Any]:
    done = subprocess.run(
        [interpreter, PROGRAM], capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@requires("official-python")
def test_chats_become_the_same(official_python: Path) -> None:
    official, ours = outcomes(official_python), outcomes(sys.executable)

    assert len(ours) > 25
    assert ours == official


@pytest.fixture
def model() -> Iterator[LLM]:
    script = parse_script({"rules": [{"reply": {"fragments": ["a", "b"]}}]})
    with EmulatorThread(script=script) as emulator, lmstudio.Client(emulator.api_host) as client:
        yield client.llm.model()


def test_the_result_of_a_prediction_is_an_answer(model: LLM) -> None:
    chat = Chat("s")
    chat.add_user_message("u")

    message = chat.add_assistant_response(model.respond(chat))

    assert message.to_wire() == {"role": "assistant", "content": [{"type": "text", "text": "ab"}]}
    assert [each["role"] for each in chat.to_wire()["messages"]] == ["system", "user", "assistant"]


def test_calls_of_tools_and_their_results() -> None:
    chat = Chat.from_history([{"role": "user", "content": "u"}])
    request = lmstudio.ToolCallRequest.from_wire(CALL)

    chat.add_assistant_response("a", [request])
    chat.add_tool_result({"content": "3", "tool_call_id": "7"})

    assert chat.to_wire()["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "a"}, {"type": "toolCallRequest", "toolCallRequest": CALL}],
        },
        {"role": "tool", "content": [{"type": "toolCallResult", "content": "3", "toolCallId": "7"}]},
    ]
    assert repr(chat) == "<Chat of 3 messages>"


def test_what_is_handed_out_is_the_callers(model: LLM) -> None:
    chat = Chat()
    handed = chat.add_user_message("u")

    handed.content.clear()

    assert chat.to_wire()["messages"][0]["content"] == [{"type": "text", "text": "u"}]
    assert len(Chat.from_history(chat).to_wire()["messages"]) == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, Chat.copy, Chat.from_history])
def test_copies_have_messages_of_their_own(copied: Callable[[Chat], Chat]) -> None:
    chat = Chat("s")
    other = copied(chat)

    other.add_user_message("u")

    assert len(chat.to_wire()["messages"]) == 1
    assert len(other.to_wire()["messages"]) == 2


@pytest.mark.parametrize("message", [("user", [{"text": "u"}]), {"role": "user", "content": {"text": "u"}}])
def test_predictions_take_the_forms_that_chats_take(model: LLM, message: Any) -> None:
    assert model.respond({"messages": [message]}).content == "ab"
    assert str(model.respond_stream([message]).wait_for_result()) == "ab"
    assert model.apply_prompt_template(history=[message]) == model.apply_prompt_template("u")
    assert message in (("user", [{"text": "u"}]), {"role": "user", "content": {"text": "u"}})


async def test_predictions_in_tasks_take_them_too() -> None:
    pair: Any = ("user", {"text": "u"})
    with EmulatorThread() as emulator:
        async with lmstudio.AsyncClient(emulator.api_host) as client:
            model = await client.llm.model()
            prompt = await model.apply_prompt_template([pair])
            assert (await model.respond([pair], config={"maxTokens": 1})).content
            with pytest.raises(lmstudio.LMStudioValueError, match="/messages/0"):
                await model.apply_prompt_template([("robot", "u")])  # type: ignore[list-item]
            assert prompt == await model.apply_prompt_template("u")


def test_mistakes_are_official_errors(model: LLM) -> None:
    with pytest.raises(lmstudio.LMStudioValueError, match="history must be text"):
        model.respond(5)  # type: ignore[arg-type]
    with pytest.raises(lmstudio.LMStudioValueError, match="/messages/0"):
        Chat.from_history([{"role": "robot", "content": "x"}])
    with pytest.raises(lmstudio.LMStudioRuntimeError, match="one in a row"):
        Chat("s").add_system_prompt("t")


def test_a_failure_is_a_prediction_error(model: LLM) -> None:
    stream = model.respond_stream("u")
    model.unload()

    with pytest.raises(lmstudio.LMStudioModelNotFoundError):
        list(stream.events())


def test_a_load_that_is_cancelled_is_an_official_error(model: LLM) -> None:
    load = model._namespace.model_stream("emulator/ngram-vision")
    load.cancel()

    with pytest.raises(lmstudio.LMStudioCancelledError):
        load.result()
