"""Scripts are read from YAML and JSON, and mistakes in them are told with their place."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import lmwire
from lmwire import diagnostics
from lmwire_emulator import EmulatorThread
from lmwire_emulator.engines.base import Candidate, Token
from lmwire_emulator.faults import (
    CloseWithoutResult,
    DropTheConnection,
    Fail,
    Hang,
    UnloadTheModel,
)
from lmwire_emulator.models import LoadPlan
from lmwire_emulator.script_reader import ScriptError, load_script, parse_script
from lmwire_emulator.scripts import (
    Answer,
    Ending,
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

YAML = """
rules:
  - match: {exact: My name is}
    model: emulator/ngram-small
    times: 2
    reply:
      progress: [0, 0.5, 1]
      progress_delay: 0.1
      prompt_tokens: 4
      fragments:
        - " Ada"
        - {text: " Lovelace", tokens: 2, delay: 0.05, reasoning: reasoning, drafted: true, structural: true}
        - text: "!"
          details: [{text: "!", id: 7, log_prob: -0.5, candidates: [{text: "?", id: 8, log_prob: -1}]}]
      end: {stop: stopStringFound, stop_string: .}
      ignore_cancel: true
      statistics: {tokens_per_second: 41.5, predicted_tokens: 9, used_draft_model: a/b, time_to_first_token: null}
  - match: {regex: "^Hello"}
    reply: {end: {error: {title: Out of memory, cause: c, suggestion: s, display_data: {code: x}}}}
  - match: {any: true}
"""

SCRIPT = Script(
    (
        ScriptRule(
            prompt="My name is",
            model="emulator/ngram-small",
            times=2,
            reply=Reply(
                progress=(0, 0.5, 1),
                progress_delay=0.1,
                prompt_tokens=4,
                fragments=(
                    ScriptedFragment(text=" Ada"),
                    ScriptedFragment(
                        text=" Lovelace",
                        tokens=2,
                        delay=0.05,
                        reasoning="reasoning",
                        drafted=True,
                        structural=True,
                    ),
                    ScriptedFragment(text="!", details=(Token("!", 7, -0.5, (Candidate("?", 8, -1),)),)),
                ),
                end=Stop("stopStringFound", "."),
                ignore_cancel=True,
                statistics={
                    "tokens_per_second": 41.5,
                    "predicted_tokens": 9,
                    "used_draft_model": "a/b",
                    "time_to_first_token": None,
                },
            ),
        ),
        ScriptRule(
            prompt=re.compile("^Hello"),
            reply=Reply(
                end=Fail(
                    {
                        "title": "Out of memory",
                        "cause": "c",
                        "suggestion": "s",
                        "displayData": {"code": "x"},
                    }
                )
            ),
        ),
        ScriptRule(),
    )
)


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "replies.yaml"
    path.write_text(YAML, encoding="utf-8")

    assert load_script(path) == SCRIPT


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "replies.JSON"
    path.write_text(json.dumps({"rules": [{"reply": {"fragments": ["é \ud83d"]}}]}), encoding="utf-8")

    (rule,) = load_script(str(path)).rules

    assert isinstance(rule, ScriptRule)
    assert rule.reply.fragments[0].text == "é \ud83d"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("eosFound", Stop("eosFound")),
        ("failed", Stop("failed")),
        ("close", CloseWithoutResult()),
        ("hang", Hang()),
        ("drop", DropTheConnection()),
        ({"stop": "userStopped"}, Stop("userStopped")),
        ("unload", UnloadTheModel()),
        ({"error": {"title": "t"}}, Fail({"title": "t"})),
        ({"error": "bare text"}, Fail("bare text")),
        ({"error": None}, Fail(None)),
        (
            {"error": {"title": "t", "root_title": "r", "stack": "s", "error_data": {"a": 1}}},
            Fail({"title": "t", "rootTitle": "r", "stack": "s", "errorData": {"a": 1}}),
        ),
    ],
)
def test_ends(written: Any, meant: Ending) -> None:
    (rule,) = parse_script({"rules": [{"reply": {"end": written}}]}).rules

    assert isinstance(rule, ScriptRule)
    assert rule.reply.end == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"load": "a/b"}, LoadRule(load="a/b")),
        ({"load": {"exact": "a/b"}, "times": 2}, LoadRule(load="a/b", times=2)),
        ({"load": {"regex": "^a"}}, LoadRule(load=re.compile("^a"))),
        ({"load": {"any": True}, "reply": {}}, LoadRule()),
        (
            {"load": "a", "reply": {"progress": [0, 1], "progress_delay": 0.5, "end": "hang"}},
            LoadRule(load="a", reply=LoadPlan(progress=(0, 1), delay=0.5, fault=Hang())),
        ),
        (
            {"load": "a", "reply": {"progress": [], "end": {"error": None}}},
            LoadRule(load="a", reply=LoadPlan(progress=(), fault=Fail(None))),
        ),
        ({"endpoint": "llm.tokenize"}, EndpointRule(endpoint="llm.tokenize")),
        (
            {"endpoint": "llm.tokenize", "times": 1, "reply": {"delay": 1, "result": {"tokens": [1.5]}}},
            EndpointRule(endpoint="llm.tokenize", times=1, reply=Answer(delay=1, result={"tokens": [1.5]})),
        ),
        (
            {"endpoint": "llm.tokenize", "reply": {"result": None}},
            EndpointRule(endpoint="llm.tokenize", reply=Answer(result=None)),
        ),
        (
            {"endpoint": "llm.predict", "reply": {"packets": [{"type": "odd"}, 5], "end": "close"}},
            EndpointRule(
                endpoint="llm.predict",
                reply=Answer(packets=[{"type": "odd"}, 5], end=CloseWithoutResult()),
            ),
        ),
        (
            {"endpoint": "system.version", "reply": {"end": "bad_parameter"}},
            EndpointRule(endpoint="system.version", reply=Answer(end=Refuse("bad_parameter"))),
        ),
    ],
)
def test_rules_for_loads_and_endpoints(written: Any, meant: Rule) -> None:
    assert parse_script({"rules": [written]}) == Script((meant,))


def problems(data: Any) -> list[str]:
    with pytest.raises(ScriptError) as caught:
        parse_script(data, source="replies.yaml")
    assert str(caught.value).splitlines() == [f"replies.yaml: {problem}" for problem in caught.value.problems]
    return caught.value.problems


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "must be an object, not null"),
        ([], "must be an object, not []"),
        ({}, "rules is missing"),
        ({"rules": {}}, "rules: must be an array, not {}"),
        ({"rules": [], "rule": []}, 'unknown key "rule"; did you mean rules?'),
        ({"rules": [], "zzz": []}, 'unknown key "zzz"; known are rules'),
        ({"rules": ["x"]}, 'rules[0]: must be an object, not "x"'),
        ({"rules": [{"match": "x"}]}, 'rules[0].match: must be an object, not "x"'),
        ({"rules": [{"match": {}}]}, "rules[0].match: has either exact, or regex, or any"),
        (
            {"rules": [{"match": {"exact": "a", "any": True}}]},
            "rules[0].match: has either exact, or regex, or any",
        ),
        ({"rules": [{"match": {"any": False}}]}, "rules[0].match.any: must be true, not false"),
        ({"rules": [{"match": {"exact": 5}}]}, "rules[0].match.exact: must be a string, not 5"),
        ({"rules": [{"times": 0}]}, "rules[0].times: must be an integer, at least 1, not 0"),
        ({"rules": [{"times": True}]}, "rules[0].times: must be an integer, at least 1, not true"),
        ({"rules": [{}, {"model": []}]}, "rules[1].model: must be a string, not []"),
        ({"rules": [{"load": 5}]}, "rules[0].load: must be a string or an object, not 5"),
        (
            {"rules": [{"load": "a", "match": {}}]},
            'rules[0]: unknown key "match"; known are load, times, reply',
        ),
        (
            {"rules": [{"load": "a", "reply": {"end": "unload"}}]},
            'rules[0].reply.end: must be one of close, hang, drop, or an object with error, not "unload"',
        ),
        (
            {"rules": [{"load": "a", "reply": {"end": {}}}]},
            "rules[0].reply.end: error is missing",
        ),
        (
            {"rules": [{"endpoint": "llm.predikt"}]},
            'rules[0].endpoint: there is no endpoint "llm.predikt"; did you mean llm.predict?',
        ),
        (
            {"rules": [{"endpoint": "nonsense"}]},
            'rules[0].endpoint: there is no endpoint "nonsense"; they are called namespace.name, such as llm.tokenize',
        ),
        ({"rules": [{"endpoint": []}]}, "rules[0].endpoint: must be a string, not []"),
        (
            {"rules": [{"endpoint": "llm.tokenize", "reply": {"packets": []}}]},
            'rules[0].reply: unknown key "packets"; known are delay, end, result',
        ),
    ],
)
def test_mistakes_in_rules(data: Any, problem: str) -> None:
    assert problems(data) == [problem]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("text", 'must be an object, not "text"'),
        ({"fragment": []}, 'unknown key "fragment"; did you mean fragments?'),
        ({"fragments": "x"}, '.fragments: must be an array, not "x"'),
        ({"fragments": ["a", 5]}, ".fragments[1]: must be a string or an object, not 5"),
        ({"fragments": [{}]}, ".fragments[0]: text is missing"),
        (
            {"fragments": [{"text": "a", "tokens": "x"}]},
            '.fragments[0].tokens: must be an integer, at least 0, not "x"',
        ),
        (
            {"fragments": [{"text": "a", "delay": -1}]},
            ".fragments[0].delay: must be a number, at least 0, not -1",
        ),
        ({"fragments": [{"text": "a", "drafted": 1}]}, ".fragments[0].drafted: must be true or false, not 1"),
        (
            {"fragments": [{"text": "a", "reasoning": "deep"}]},
            '.fragments[0].reasoning: must be one of none, reasoning, reasoningStartTag, reasoningEndTag, not "deep"',
        ),
        ({"fragments": [{"text": "a", "details": [{"id": 1}]}]}, ".fragments[0].details[0]: text is missing"),
        ({"progress": [0, 1.5]}, ".progress[1]: must be a number from 0 to 1, not 1.5"),
        ({"progress": [float("nan")]}, ".progress[0]: must be a number from 0 to 1, not NaN"),
        ({"prompt_tokens": 1.5}, ".prompt_tokens: must be an integer, at least 0, not 1.5"),
        ({"end": {"error": {}}}, ".end.error: title is missing"),
        (
            {"end": {"error": {"title": "a", "display_data": 5}}},
            ".end.error.display_data: must be an object, not 5",
        ),
        ({"end": {"error": {"title": "a"}, "stop": "failed"}}, ".end: has either error, or stop"),
        ({"end": {"stop_string": "x"}}, ".end: stop or error is missing"),
        ({"end": {"error": 5}}, ".end.error: must be an object, a string or null, not 5"),
        (
            {"statistics": {"tokens_per_second": "fast"}},
            '.statistics.tokens_per_second: must be a number, at least 0, not "fast"',
        ),
        (
            {"statistics": {"total_time": None}},
            ".statistics.total_time: must be a number, at least 0, not null",
        ),
    ],
)
def test_mistakes_in_replies(reply: Any, problem: str) -> None:
    separator = "" if problem.startswith(".") else ": "

    assert problems({"rules": [{"reply": reply}]}) == [f"rules[0].reply{separator}{problem}"]


@pytest.mark.parametrize("end", ["nonsense", 5, None, True])
def test_an_unknown_end_lists_all_there_are(end: Any) -> None:
    (problem,) = problems({"rules": [{"reply": {"end": end}}]})

    assert problem.startswith("rules[0].reply.end: must be one of userStopped, modelUnloaded, ")
    assert ", close, hang, drop, unload, or an object with stop or error, not " in problem


@pytest.mark.parametrize(
    ("endpoint", "ends"),
    [
        ("llm.tokenize", "hang, drop, unknown, unhandled, bad_parameter"),
        ("llm.predict", "hang, drop, unknown, unhandled, bad_parameter, close"),
    ],
)
def test_an_unknown_end_of_an_endpoint(endpoint: str, ends: str) -> None:
    (problem,) = problems({"rules": [{"endpoint": endpoint, "reply": {"end": "eosFound"}}]})

    assert problem == f'rules[0].reply.end: must be one of {ends}, or an object with error, not "eosFound"'


def test_a_bad_regular_expression_is_told() -> None:
    (problem,) = problems({"rules": [{"match": {"regex": "("}}]})

    assert problem.startswith("rules[0].match.regex: is no regular expression: ")


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems({"rules": [{"times": 0}, {"reply": {"end": 1, "progress": [2]}}], "more": 1})) == 4


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.yaml", "rules: [", "x.yaml: "),
        ("x.yaml", "rules: [a: b", "line 1"),
        ("x.yaml", "", "x.yaml: must be an object, not null"),
        ("x.json", '{"rules": [}', "x.json: line 1, column 12: Expecting value"),
    ],
)
def test_files_that_are_no_yaml_or_json(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(ScriptError, match=re.escape(expected)):
        load_script(tmp_path / name)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\xfa")

    with pytest.raises(ScriptError, match=r"x\.yaml: is no UTF-8 text"):
        load_script(tmp_path / "x.yaml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_script(tmp_path / "x.yaml")


def test_without_pyyaml_json_still_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "x.json").write_text('{"rules": []}', encoding="utf-8")
    (tmp_path / "x.yaml").write_text("rules: []", encoding="utf-8")

    assert load_script(tmp_path / "x.json") == Script(())
    with pytest.raises(ScriptError, match="needs PyYAML"):
        load_script(tmp_path / "x.yaml")


def test_yaml_builds_no_objects(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("rules: !!python/object/apply:os.getcwd []", encoding="utf-8")

    with pytest.raises(ScriptError):
        load_script(tmp_path / "x.yaml")


def test_an_endpoint_that_hangs_closes_when_the_client_cancels() -> None:
    script = parse_script({"rules": [{"endpoint": "diagnostics.streamLogs", "reply": {"end": "hang"}}]})
    with (
        EmulatorThread(script=script) as emulator,
        lmwire.Client(emulator.api_host) as client,
        client.diagnostics.channel.stream_logs() as channel,
    ):
        channel.send(diagnostics.StreamLogsStop())
        assert list(channel) == []
