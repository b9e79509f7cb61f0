"""Scripts from files: YAML or JSON, checked through, with all mistakes told at once.

    rules:
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
          end: eosFound                    # any stop reason, or close, hang, drop
          ignore_cancel: false
          statistics: {tokens_per_second: 41.7}

``end`` may also be ``{stop: stopStringFound, stop_string: "."}`` or ``{error: {title, cause, suggestion,
display_data}}``. A fragment may have ``details``: a list of ``{text, id, log_prob, candidates: [{text, id,
log_prob}]}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from lmwire_emulator.checked_data import Node
from lmwire_emulator.engines.base import Candidate, ReasoningType, StopReason, Token
from lmwire_emulator.scripts import (
    CloseWithoutResult,
    DropTheConnection,
    Ending,
    Fail,
    Hang,
    Reply,
    Script,
    ScriptedFragment,
    ScriptRule,
    Stop,
)

__all__ = ["ScriptError", "load_script", "parse_script"]

_STOP_REASONS: Final[tuple[StopReason, ...]] = get_args(StopReason)
_REASONING_TYPES: Final[tuple[ReasoningType, ...]] = get_args(ReasoningType)
_FAULTS: Final[dict[str, Ending]] = {
    "close": CloseWithoutResult(),
    "hang": Hang(),
    "drop": DropTheConnection(),
}
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


def _rule(node: Node) -> ScriptRule:
    readers: dict[str, Callable[[Node], Any]] = {
        "match": _match,
        "model": Node.text,
        "times": lambda times: times.integer(1),
        "reply": _reply,
    }
    read = _read(node, readers)
    return ScriptRule(prompt=read.pop("match", None), **read)


def _read(
    node: Node, readers: Mapping[str, Callable[[Node], Any]], *, required: Sequence[str] = ()
) -> dict[str, Any]:
    """Read the members of an object that are there, each by the reader of its name."""
    return {name: readers[name](member) for name, member in node.members(readers, required=required).items()}


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
        "end": _end,
        "progress": lambda progress: tuple(step.number(0, 1) for step in progress.items()),
        "progress_delay": lambda delay: delay.number(0),
        "prompt_tokens": lambda tokens: tokens.integer(0),
        "ignore_cancel": Node.boolean,
        "statistics": _statistics,
    }
    return Reply(**_read(node, readers))


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
        "delay": lambda delay: delay.number(0),
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


def _end(node: Node) -> Ending:
    if not isinstance(node.value, dict):
        if node.value in _FAULTS:
            return _FAULTS[node.value]
        return Stop(
            node.choice(_STOP_REASONS, also=f", {', '.join(_FAULTS)}, or an object with stop or error")
        )
    given = node.members(["stop", "stop_string", "error"])
    if "error" in given:
        if len(given) > 1:
            node.problem("has either error, or stop")
        return _failure(given["error"])
    if "stop" not in given:
        node.problem("stop or error is missing")
        return Stop()
    stop_string = given["stop_string"].text() if "stop_string" in given else None
    return Stop(given["stop"].choice(_STOP_REASONS), stop_string)


def _failure(node: Node) -> Fail:
    given = node.members(["title", "cause", "suggestion", "display_data"], required=["title"])
    display_data = given.get("display_data")
    if display_data is not None and not isinstance(display_data.value, dict):
        display_data.wrong("an object")
    texts = {name: given[name].text() for name in ("title", "cause", "suggestion") if name in given}
    return Fail(
        title=texts.get("title", ""),
        cause=texts.get("cause"),
        suggestion=texts.get("suggestion"),
        display_data=None if display_data is None else display_data.value,
    )


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
