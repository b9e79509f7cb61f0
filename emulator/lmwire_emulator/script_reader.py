"""Scripts from files: YAML or JSON, checked through, with all mistakes told at once.

    rules:                                 # of three kinds, each may have `times`
      - match: {exact: My name is}         # or {regex: "^My"}, or {any: true}; left out: any prompt
        model: emulator/ngram-small        # optional, as is all that follows
        times: 1                           # after that the next rule that fits is taken
        reply:
          progress: [0, 0.5, 1]            # prompt progress
          progress_delay: 0.1              # seconds before each
          prompt_tokens: 4
          fragments:
            - " Ada"
            - {text: " Lovelace", tokens: 2, delay: 0.05, reasoning: none, drafted: false, structural: false}
          end: eosFound                    # any stop reason, or close, hang, drop, unload
          ignore_cancel: false
          statistics: {tokens_per_second: 41.7}
      - load: emulator/ngram-small         # or {exact: ...}, {regex: ...}, {any: true}
        reply:
          progress: [0, 0.5]
          progress_delay: 0.1
          end: {error: out of memory}      # or close, hang, drop; left out: the model is loaded
      - endpoint: llm.countTokens          # any endpoint, handled by the emulator or not
        reply:
          delay: 0.1
          result: {tokenCount: 3}          # of a call; of a channel it is `packets`, a list
          end: hang                        # or drop, unknown, unhandled, bad_parameter; close of a channel

``end`` may also be ``{error: ...}`` with text, null, or an object that has ``title`` and perhaps ``root_title``,
``cause``, ``suggestion``, ``display_data``, ``error_data``, ``stack``; and that of a reply to a prompt ``{stop:
stopStringFound, stop_string: "."}``. A fragment may have ``details``: a list of ``{text, id, log_prob, candidates:
[{text, id, log_prob}]}``.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from lmwire_emulator.checked_data import Node
from lmwire_emulator.endpoints import ENDPOINTS
from lmwire_emulator.engines.base import Candidate, ReasoningType, StopReason, Token
from lmwire_emulator.faults import CloseWithoutResult, DropTheConnection, Fail, Hang, UnloadTheModel
from lmwire_emulator.models import LoadPlan
from lmwire_emulator.scripts import (
    Answer,
    EndpointRule,
    LoadRule,
    Refuse,
    Reply,
    Rule,
    Script,
    ScriptedFragment,
    ScriptRule,
    Stop,
)
from lmwire_runtime.descriptors import RpcDescriptor

__all__ = ["ScriptError", "load_script", "parse_script"]

_STOP_REASONS: Final[tuple[StopReason, ...]] = get_args(StopReason)
_REASONING_TYPES: Final[tuple[ReasoningType, ...]] = get_args(ReasoningType)

# The words for `end`, of each kind of rule.
_LOAD_ENDS: Final[Mapping[str, Any]] = {
    "close": CloseWithoutResult(),
    "hang": Hang(),
    "drop": DropTheConnection(),
}
_REPLY_ENDS: Final[Mapping[str, Any]] = {
    **{reason: Stop(reason) for reason in _STOP_REASONS},
    **_LOAD_ENDS,
    "unload": UnloadTheModel(),
}
_CALL_ENDS: Final[Mapping[str, Any]] = {
    "hang": Hang(),
    "drop": DropTheConnection(),
    "unknown": Refuse("unknown"),
    "unhandled": Refuse("unhandled"),
    "bad_parameter": Refuse("bad_parameter"),
}
_CHANNEL_ENDS: Final[Mapping[str, Any]] = {**_CALL_ENDS, "close": CloseWithoutResult()}

# Members of an error object, as scripts and as the wire spell them.
_ERROR_TEXTS: Final = {
    "title": "title",
    "root_title": "rootTitle",
    "cause": "cause",
    "suggestion": "suggestion",
    "stack": "stack",
}
_ERROR_TABLES: Final = {"display_data": "displayData", "error_data": "errorData"}
_COUNTS: Final = (
    "predicted_tokens",
    "drafted_tokens",
    "accepted_draft_tokens",
    "rejected_draft_tokens",
    "ignored_draft_tokens",
)
_TIMES: Final = ("total_time", "time_to_first_token", "tokens_per_second")


class ScriptError(ValueError):
    """A script cannot be read. ``problems`` says what is wrong, each with its place in the file.

    Args:
        source: The file, or what the script is called.
        problems: What is wrong with it.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source = source
        self.problems = problems


def load_script(path: str | Path) -> Script:
    """Read a script from a file; ``.json`` is JSON, anything else YAML.

    Raises:
        ScriptError: It is no script, or YAML was given and PyYAML is not installed.
        OSError: The file cannot be read.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ScriptError(str(path), [f"is no UTF-8 text: {error}"]) from error
    data = _json(text, path) if path.suffix.lower() == ".json" else _yaml(text, path)
    return parse_script(data, source=str(path))


def _json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ScriptError(str(path), [f"line {error.lineno}, column {error.colno}: {error.msg}"]) from error


def _yaml(text: str, path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        hint = (
            "reading YAML needs PyYAML: install it, or write the script in JSON (a file that ends in .json)"
        )
        raise ScriptError(str(path), [hint]) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScriptError(str(path), [str(error)]) from error


def parse_script(data: Any, *, source: str = "script") -> Script:
    """Make a script of plain data; ``source`` is what errors call it.

    Raises:
        ScriptError: It is no script.
    """
    problems: list[str] = []
    members = Node(data, "", problems).members(["rules"], required=["rules"])
    rules = tuple(_rule(item) for item in members["rules"].items()) if "rules" in members else ()
    if problems:
        raise ScriptError(source, problems)
    return Script(rules)


def _rule(node: Node) -> Rule:
    names = node.value if isinstance(node.value, dict) else {}
    if "load" in names:
        return LoadRule(**_read(node, {"load": _pattern, "times": _times, "reply": _course}))
    if "endpoint" in names:
        return _endpoint_rule(node)
    readers = {"match": _match, "model": Node.text, "times": _times, "reply": _reply}
    read = _read(node, readers)
    return ScriptRule(prompt=read.pop("match", None), **read)


def _times(node: Node) -> int:
    return node.integer(1)


def _read(
    node: Node, readers: Mapping[str, Callable[[Node], Any]], *, required: Sequence[str] = ()
) -> dict[str, Any]:
    """Read the members of an object that are there, each by the reader of its name."""
    return {name: readers[name](member) for name, member in node.members(readers, required=required).items()}


def _pattern(node: Node) -> str | re.Pattern[str] | None:
    if isinstance(node.value, str):
        return node.value
    if not isinstance(node.value, dict):
        node.wrong("a string or an object")
        return None
    return _match(node)


def _match(node: Node) -> str | re.Pattern[str] | None:
    given = node.members(["exact", "regex", "any"])
    if len(given) != 1 and isinstance(node.value, dict):
        node.problem("has either exact, or regex, or any")
    elif "exact" in given:
        return given["exact"].text()
    elif "regex" in given:
        return _regex(given["regex"])
    elif "any" in given and given["any"].value is not True:
        given["any"].wrong("true")
    return None


def _regex(node: Node) -> re.Pattern[str]:
    try:
        return re.compile(node.text())
    except re.error as error:
        node.problem(f"is no regular expression: {error}")
        return re.compile("")


def _reply(node: Node) -> Reply:
    readers: dict[str, Callable[[Node], Any]] = {
        "fragments": lambda fragments: tuple(_fragment(item) for item in fragments.items()),
        "end": lambda end: _end(end, _REPLY_ENDS, also=("stop",)),
        "progress": _progress,
        "progress_delay": _seconds,
        "prompt_tokens": lambda tokens: tokens.integer(0),
        "ignore_cancel": Node.boolean,
        "statistics": _statistics,
    }
    return Reply(**_read(node, readers))


def _progress(node: Node) -> tuple[float, ...]:
    return tuple(step.number(0, 1) for step in node.items())


def _seconds(node: Node) -> float:
    return node.number(0)


def _course(node: Node) -> LoadPlan:
    readers: dict[str, Callable[[Node], Any]] = {
        "progress": _progress,
        "progress_delay": _seconds,
        "end": lambda end: _end(end, _LOAD_ENDS),
    }
    read = _read(node, readers)
    names = {"progress_delay": "delay", "end": "fault"}
    return LoadPlan(**{names.get(name, name): value for name, value in read.items()})


def _endpoint_rule(node: Node) -> EndpointRule:
    name = node.value["endpoint"]
    is_call = isinstance(ENDPOINTS.get(name) if isinstance(name, str) else None, RpcDescriptor)
    only = (
        {"result": _anything}
        if is_call
        else {"packets": lambda packets: [item.value for item in packets.items()]}
    )
    ends = _CALL_ENDS if is_call else _CHANNEL_ENDS
    answer: dict[str, Callable[[Node], Any]] = {"delay": _seconds, "end": lambda end: _end(end, ends), **only}
    readers: dict[str, Callable[[Node], Any]] = {
        "endpoint": _endpoint,
        "times": _times,
        "reply": lambda reply: Answer(**_read(reply, answer)),
    }
    return EndpointRule(**_read(node, readers))


def _endpoint(node: Node) -> str:
    name = node.text()
    if name and name not in ENDPOINTS:
        near = difflib.get_close_matches(name, ENDPOINTS, n=1)
        hint = f"did you mean {near[0]}?" if near else "they are called namespace.name, such as llm.tokenize"
        node.problem(f'there is no endpoint "{name}"; {hint}')
    return name


def _anything(node: Node) -> Any:
    return node.value


def _fragment(node: Node) -> ScriptedFragment:
    if isinstance(node.value, str):
        return ScriptedFragment(text=node.value)
    if not isinstance(node.value, dict):
        node.wrong("a string or an object")
        return ScriptedFragment(text="")
    readers: dict[str, Callable[[Node], Any]] = {
        "text": Node.text,
        "tokens": lambda tokens: tokens.integer(0),
        "reasoning": lambda reasoning: reasoning.choice(_REASONING_TYPES),
        "drafted": Node.boolean,
        "structural": Node.boolean,
        "delay": _seconds,
        "details": lambda details: tuple(_token(item) for item in details.items()),
    }
    return ScriptedFragment(**{"text": "", **_read(node, readers, required=["text"])})


def _token(node: Node) -> Token:
    given = node.members(["text", "id", "log_prob", "candidates"], required=["text", "id"])
    candidates = given.get("candidates")
    return Token(
        given["text"].text() if "text" in given else "",
        given["id"].integer(0) if "id" in given else 0,
        given["log_prob"].number(-1e9, 0) if "log_prob" in given else None,
        None if candidates is None else tuple(_candidate(item) for item in candidates.items()),
    )


def _candidate(node: Node) -> Candidate:
    given = node.members(["text", "id", "log_prob"], required=["text", "id", "log_prob"])
    if len(given) < 3:
        return Candidate("", 0, 0.0)
    return Candidate(given["text"].text(), given["id"].integer(0), given["log_prob"].number(-1e9, 0))


def _end(node: Node, words: Mapping[str, Any], *, also: Sequence[str] = ()) -> Any:
    """Read an end: one of some words, or an object with ``error`` or with what is in ``also``."""
    if not isinstance(node.value, dict):
        if isinstance(node.value, str) and node.value in words:
            return words[node.value]
        node.wrong(f"one of {', '.join(words)}, or an object with {' or '.join((*also, 'error'))}")
        return None
    given = node.members([*also, *(["stop_string"] if "stop" in also else []), "error"])
    if "error" in given:
        if len(given) > 1:
            node.problem("has either error, or stop")
        return Fail(_error(given["error"]))
    if "stop" not in given:
        node.problem(f"{' or '.join((*also, 'error'))} is missing")
        return None
    stop_string = given["stop_string"].text() if "stop_string" in given else None
    return Stop(given["stop"].choice(_STOP_REASONS), stop_string)


def _error(node: Node) -> dict[str, Any] | str | None:
    if node.value is None or isinstance(node.value, str):
        return node.value
    if not isinstance(node.value, dict):
        node.wrong("an object, a string or null")
        return None
    given = node.members([*_ERROR_TEXTS, *_ERROR_TABLES], required=["title"])
    error: dict[str, Any] = {}
    for name, member in given.items():
        if name in _ERROR_TEXTS:
            error[_ERROR_TEXTS[name]] = member.text()
        else:
            error[_ERROR_TABLES[name]] = member.value
            if not isinstance(member.value, dict):
                member.wrong("an object")
    return error


def _statistics(node: Node) -> dict[str, Any]:
    given = node.members([*_COUNTS, *_TIMES, "used_draft_model"])
    read: dict[str, Any] = {}
    for name, member in given.items():
        if name == "used_draft_model":
            read[name] = member.text()
        elif name in _COUNTS:
            read[name] = member.integer(0)
        else:
            read[name] = None if member.value is None and name != "total_time" else member.number(0)
    return read
