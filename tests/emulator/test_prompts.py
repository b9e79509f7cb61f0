"""A chat becomes the text that a model goes on from."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_emulator.kv_config import ConfigLayer
from lmwire_emulator.prompts import RenderedPrompt, render_prompt
from lmwire_emulator.sampling import read_prediction_config

TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def message(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def rendered(
    *messages: dict[str, Any],
    template: dict[str, Any] | None = None,
    layer: str = "apiOverride",
    system_prompt: str | None = None,
) -> RenderedPrompt:
    fields: list[dict[str, Any]] = []
    if template is not None:
        fields.append({"key": "llm.prediction.promptTemplate", "value": {"stopStrings": [], **template}})
    if system_prompt is not None:
        fields.append({"key": "llm.prediction.systemPrompt", "value": system_prompt})
    return render_prompt(messages, read_prediction_config([ConfigLayer(layer, fields)]))


def jinja(text: str) -> dict[str, Any]:
    return {"type": "jinja", "jinjaPromptTemplate": {"template": text}}


@pytest.mark.parametrize(
    "template",
    [
        TEMPLATE,
        f"  {TEMPLATE}\n",
        '{% for message in messages %}{{ message["content"] }}{% endfor %}',
        "{% for m in messages %}{{ m.content }}{% endfor %}",
        "{%for message in messages%}{{message['content']}}{%endfor%}",
        "{%- for message in messages -%}{{- message['content'] -}}{%- endfor -%}",
    ],
)
def test_a_template_that_puts_contents_together_adds_nothing(template: str) -> None:
    assert rendered(message("user", "My name", " is"), template=jinja(template)).text == "My name is"


@pytest.mark.parametrize(
    "template",
    [
        "{% for message in messages %}{{ message['role'] }}{% endfor %}",
        "{% for message in messages %}[{{ message['content'] }}]{% endfor %}",
        "{% for message in messages %}{{ other['content'] }}{% endfor %}",
        f"{TEMPLATE} AI:",
        "",
    ],
)
def test_other_templates_give_way_to_the_plain_one(template: str) -> None:
    assert rendered(message("user", "hi"), template=jinja(template)).text == "Human: hi\nAI: "


def test_the_formatting_layer_of_old_clients_adds_nothing_whatever_its_template() -> None:
    prompt = rendered(message("user", "x"), template=jinja("odd"), layer="completeModeFormatting")

    assert prompt.text == "x"


def test_a_layer_over_the_formatting_layer_wins() -> None:
    def layer(name: str, template: dict[str, Any]) -> ConfigLayer:
        return ConfigLayer(
            name, [{"key": "llm.prediction.promptTemplate", "value": {"stopStrings": [], **template}}]
        )

    config = read_prediction_config(
        [layer("completeModeFormatting", jinja("odd")), layer("apiOverride", jinja("odd"))]
    )

    assert render_prompt([message("user", "x")], config).text == "Human: x\nAI: "


def test_several_messages_are_put_together_in_their_order() -> None:
    prompt = rendered(
        message("user", "a"), message("assistant", "b", "c"), message("user"), template=jinja(TEMPLATE)
    )

    assert prompt.text == "abc"


def test_a_chat_gets_role_markers() -> None:
    prompt = rendered(
        message("system", "Be brief."),
        message("user", "Hi"),
        message("assistant", "Hello"),
        message("user", "Bye"),
    )

    assert prompt.text == "Instruct: Be brief.\nHuman: Hi\nAI: Hello\nHuman: Bye\nAI: "


def test_a_chat_that_ends_with_the_assistant_is_not_opened_again() -> None:
    assert rendered(message("user", "Hi"), message("assistant", "He")).text == "Human: Hi\nAI: He\n"


def test_a_manual_template_gives_the_markers() -> None:
    markers = {
        "beforeSystem": "<s>",
        "afterSystem": "</s>",
        "beforeUser": "<u>",
        "afterUser": "</u>",
        "beforeAssistant": "<a>",
        "afterAssistant": "</a>",
    }
    template = {"type": "manual", "manualPromptTemplate": markers, "stopStrings": ["</a>"]}

    assert rendered(message("user", "Hi"), template=template) == RenderedPrompt("<u>Hi</u><a>", ("</a>",))


def test_a_system_prompt_comes_first_unless_the_chat_has_one() -> None:
    assert rendered(message("user", "Hi"), system_prompt="S").text == "Instruct: S\nHuman: Hi\nAI: "
    assert rendered(message("system", "T"), system_prompt="S").text == "Instruct: T\nAI: "


def test_an_empty_chat() -> None:
    assert rendered().text == "AI: "
    assert rendered(template=jinja(TEMPLATE)).text == ""


def test_results_of_tools_are_shown_and_files_are_not() -> None:
    tool = {"role": "tool", "content": [{"type": "toolCallResult", "content": "42"}]}
    file = {
        "role": "user",
        "content": [{"type": "file", "name": "x.png", "identifier": "i"}, {"type": "text", "text": "?"}],
    }

    assert rendered(tool, file, template=jinja(TEMPLATE)).text == "42?"
    assert rendered(tool).text == "Human: 42\nAI: "
