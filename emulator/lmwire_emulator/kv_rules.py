"""Which KV config keys the emulator knows, what their values must be like, and what holds when nobody sets them.

The registry of keys is made of the option tables of the client's side (``lmwire.config``), which know every key. A
``Rule`` takes a value as it came over the wire and returns it cleaned (3.0 becomes 3 where an integer is due), or
raises ``IllTypedError``. Written here is only what those tables do not say: values of keys that no option sets alone,
and defaults that clients have no use for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from lmwire.config import EMBEDDING_LOAD, LLM_LOAD, LLM_PREDICTION
from lmwire_runtime.surface.option_encodings import (
    CheckboxOption,
    ComposedPart,
    MultiPartOption,
    Option,
    PlainOption,
)
from lmwire_runtime.surface.option_kinds import Choice, Kind, MisfitError, plain_json
from lmwire_runtime.surface.options import OptionTable

__all__ = [
    "CUSTOM_FIELD_PREFIX",
    "EMBEDDING_LOAD_RULES",
    "LLM_LOAD_RULES",
    "PREDICTION_RULES",
    "IllTypedError",
    "Rule",
    "Rules",
]

CUSTOM_FIELD_PREFIX: Final = "ext.virtualModel.customField."
"""Keys that begin like this belong to the model's author; they are kept whatever they hold."""

Check: TypeAlias = Callable[[Any], Any]


class IllTypedError(ValueError):
    """A value does not fit the rule of its key."""


@attrs.frozen
class Rule:
    """What the value of one key must be like.

    Attributes:
        check: Takes the bare value, returns it cleaned or raises ``IllTypedError``.
        default: In wire form, so with its checkbox if there is one.
        checkbox: Whether the value comes as ``{"checked": bool, "value": ...}``.
    """

    check: Check
    default: Any
    checkbox: bool = False

    def clean(self, value: Any) -> Any:
        """Return a wire value cleaned, still in wire form.

        Raises:
            IllTypedError: It does not fit.
        """
        if not self.checkbox:
            return self.check(value)
        if (
            not isinstance(value, Mapping)
            or not isinstance(value.get("checked"), bool)
            or "value" not in value
        ):
            raise IllTypedError("must be {checked, value}")
        return {"checked": value["checked"], "value": self.check(value["value"])}


Rules: TypeAlias = Mapping[str, Rule]

_GENERIC_JINJA_TEMPLATE: Final = (
    "{% for message in messages %}{% if message['role'] == 'system' %}Instruct: {{ message['content'] }}\n"
    "{% elif message['role'] == 'user' %}Human: {{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}AI: {{ message['content'] }}\n{% endif %}{% endfor %}AI: "
)

# What holds where the option tables have no default, or where an unchecked box remembers another value.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "llm.prediction.maxPredictedTokens": {"checked": False, "value": 1000},
    "llm.prediction.promptTemplate": {
        "type": "manual",
        "manualPromptTemplate": {
            "beforeSystem": "Instruct: ",
            "afterSystem": "\n",
            "beforeUser": "Human: ",
            "afterUser": "\n",
            "beforeAssistant": "AI: ",
            "afterAssistant": "\n",
        },
        "stopStrings": [],
    },
    "llm.load.seed": {"checked": False, "value": -1},
    "llm.load.promptTemplate": {
        "type": "jinja",
        "jinjaPromptTemplate": {"template": _GENERIC_JINJA_TEMPLATE},
    },
}


def _check(kind: Kind) -> Check:
    def check(value: Any) -> Any:
        try:
            return plain_json(kind.from_wire(value, "value"), "value")
        except MisfitError as error:
            raise IllTypedError(str(error)) from error

    return check


_STRATEGY: Final = _check(Choice(("evenly", "priorityOrder", "tensor", "custom")))
_SPLIT_LISTS: Final = ("disabledGpus", "priority", "customRatio")


def _split_config(value: Any) -> Any:
    """What the members of an option make of this key is not all that it may hold."""
    if not isinstance(value, Mapping) or not all(
        isinstance(value.get(name, []), list) for name in _SPLIT_LISTS
    ):
        raise IllTypedError("must be an object with lists")
    return {**value, "strategy": _STRATEGY(value.get("strategy"))}


def _rules_of_option(option: Option) -> Iterator[tuple[str, Rule]]:
    check = _check(option.kind)
    if isinstance(option, CheckboxOption):
        is_off = option.default is False
        box = {"checked": not is_off, "value": option.off if is_off else option.default}
        yield option.key, Rule(check, _DEFAULTS.get(option.key, box), checkbox=True)
    elif isinstance(option, PlainOption):
        default = option.off if option.default is False and option.can_be_off else option.default
        yield option.key, Rule(check, _DEFAULTS.get(option.key, default))
    elif isinstance(option, MultiPartOption):
        kinds = {member.name: member.kind for member in option.kind.members}
        for part in option.parts:
            if isinstance(part, ComposedPart):
                yield part.key, Rule(_split_config, part.compose({}))
            else:
                yield part.key, Rule(_check(kinds[part.member]), option.default[part.member])


def _rules_of(table: OptionTable[Any]) -> dict[str, Rule]:
    return {key: rule for option in table.options for key, rule in _rules_of_option(option)}


PREDICTION_RULES: Final[Rules] = _rules_of(LLM_PREDICTION)
LLM_LOAD_RULES: Final[Rules] = _rules_of(LLM_LOAD)
EMBEDDING_LOAD_RULES: Final[Rules] = {
    **_rules_of(EMBEDDING_LOAD),
    # Keys of every load, for which embedding models have no option.
    **{key: LLM_LOAD_RULES[key] for key in ("envVars", "load.gpuStrictVramCap")},
}
