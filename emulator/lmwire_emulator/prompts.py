"""The prompt that a model gets to see when a client sends a chat.

Before ``completeRawText`` existed, clients completed a raw text by a chat of one message and a template that only
puts message contents together. Such a request is recognised, by its layer or by the template, and nothing is added to
the text. Any other chat is rendered with the role markers of a manual template: the request's own, or the protocol's
default ("Instruct: ", "Human: ", "AI: "). Jinja is not evaluated: a template that does more than put contents
together is replaced by that default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from lmwire_emulator.kv_config import KVConfig
from lmwire_emulator.kv_rules import PREDICTION_RULES

__all__ = ["RenderedPrompt", "render_prompt"]

Message = Mapping[str, Any]
"""``{"role": ..., "content": [part, ...]}`` as on the wire."""

_TEMPLATE_KEY: Final = "llm.prediction.promptTemplate"
_SYSTEM_PROMPT_KEY: Final = "llm.prediction.systemPrompt"
_COMPLETION_LAYER: Final = "completeModeFormatting"
_DEFAULT_MARKERS: Final[Mapping[str, str]] = PREDICTION_RULES[_TEMPLATE_KEY].default["manualPromptTemplate"]

# {% for message in messages %}{{ message['content'] }}{% endfor %}, however spelled and spaced inside the braces.
_CONCATENATION: Final = re.compile(
    r"""\s*\{%-?\s*for\s+(?P<name>\w+)\s+in\s+messages\s*-?%\}
        \{\{-?\s*(?P=name)\s*(?:\.\s*content|\[\s*(?:'content'|"content")\s*\])\s*-?\}\}
        \{%-?\s*endfor\s*-?%\}\s*""",
    re.VERBOSE,
)


@attrs.frozen
class RenderedPrompt:
    """What the model gets: the text, and the stop strings that go with the template."""

    text: str
    stop_strings: tuple[str, ...] = ()


def render_prompt(messages: Sequence[Message], config: KVConfig) -> RenderedPrompt:
    """Make the prompt of a chat (wire: ``predict``, ``applyPromptTemplate``)."""
    template = config.wire_value(_TEMPLATE_KEY)
    stop_strings = tuple(template["stopStrings"])
    if _puts_together(template) or config.origins.get(_TEMPLATE_KEY) == _COMPLETION_LAYER:
        return RenderedPrompt("".join(map(_text_of, messages)), stop_strings)
    markers = _DEFAULT_MARKERS
    if template["type"] == "manual":
        markers = template.get("manualPromptTemplate", markers)
    return RenderedPrompt(_with_markers(messages, markers, config.option(_SYSTEM_PROMPT_KEY)), stop_strings)


def _puts_together(template: Mapping[str, Any]) -> bool:
    jinja = template.get("jinjaPromptTemplate")
    return (
        template["type"] == "jinja"
        and jinja is not None
        and _CONCATENATION.fullmatch(jinja["template"]) is not None
    )


def _with_markers(messages: Sequence[Message], markers: Mapping[str, str], system_prompt: str) -> str:
    pieces: list[str] = []
    if system_prompt and not any(message["role"] == "system" for message in messages):
        pieces += [markers["beforeSystem"], system_prompt, markers["afterSystem"]]
    for message in messages:
        # The result of a tool is something that the model is told, like a user's message.
        role = {"system": "System", "assistant": "Assistant"}.get(message["role"], "User")
        pieces += [markers[f"before{role}"], _text_of(message), markers[f"after{role}"]]
    if not messages or messages[-1]["role"] != "assistant":
        pieces.append(markers["beforeAssistant"])
    return "".join(pieces)


def _text_of(message: Message) -> str:
    texts: list[str] = []
    for part in message["content"]:
        if part["type"] == "text":
            texts.append(part["text"])
        elif part["type"] == "toolCallResult":
            texts.append(part["content"])
    return "".join(texts)
