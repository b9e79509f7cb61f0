"""The history of the emulator's protocol against that of the schema: nothing that came later is forgotten.

``schema/history.json`` says in which of four known revisions a type, a field or a member of a union existed; of the
days in between it knows nothing, and the oldest of the four is of the generation ``2025-07``. So all that this oldest
one lacks has to be in ``history``, or in ``NEVER_SENT`` with a reason.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import lmwire
from lmwire import diagnostics, repository
from lmwire_emulator import EmulatorThread, Generation
from lmwire_emulator.endpoints import ENDPOINTS
from lmwire_emulator.generations import GENERATIONS
from lmwire_emulator.history import HISTORY

RECORDED: Final[dict[str, Any]] = json.loads(
    Path(__file__).parents[2].joinpath("schema", "history.json").read_text(encoding="utf-8")
)
OLDEST, *_, NEWEST = RECORDED["revisions"]
# The parts of a path in it: namespace/rpc/endpoint/parameter, or a type; then [member of a union] and .field.
PLACE: Final = re.compile(r"(?:(?P<namespace>\w+)/\w+/(?P<endpoint>\w+)/?)?(?P<type>\w*)(?P<rest>.*)")
ENDINGS: Final = {"parameter": "Parameter", "result": "Result", "creation": "Creation", "toClient": ""}

NEVER_SENT: Final = {
    "ArtifactDownloadPlan": "sent on a channel that came later itself",
    "DiagnosticsLogEventDataRuntimeLog": "the engines write no log",
    "ErrorDisplayDataGenericMissingRuntimeExtension": "no engine is ever missing",
    "LlmPredictionFragmentInputOpts": "plugins are not handled",
    "ContentBlockStyle": "plugins are not handled",
    "PluginManifest": "plugins are not handled",
    "ProcessingUpdate": "plugins are not handled",
    "GenerateWithGenerator": "plugins are not handled",
    "RegisterDevelopmentPlugin": "plugins are not handled",
}


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[._]", name))


def _came_later() -> Iterator[tuple[str, str]]:
    """Message classes of types and endpoints that are old, with a new field; or "" for a class that is new itself."""
    later = [path for path, span in RECORDED["partial"].items() if span.split("..")[0] > OLDEST]
    later = [path for path in later if RECORDED["partial"][path].endswith(NEWEST) and "=" not in path]
    endpoints = {name for change in HISTORY for name in change.endpoints}
    namespaces = {name for change in HISTORY for name in change.namespaces}
    for path in later:
        place = PLACE.fullmatch(path)
        assert place is not None, path
        namespace, endpoint, kind, rest = place.group("namespace", "endpoint", "type", "rest")
        if f"{namespace}.{endpoint}" in endpoints or {namespace, kind} & namespaces:
            continue
        if endpoint is None and kind in later:
            continue  # a new type: whatever has it is new
        if endpoint is not None:
            kind = _pascal(endpoint) + ENDINGS[kind]
        members, _, field = rest.partition("].") if rest.startswith("[") else ("", "", rest[1:])
        if members and f"{path.partition('[')[0]}{members}]" in later:
            field = ""
        yield kind + _pascal(members.strip("[]")), field.split(".")[0]


@pytest.mark.parametrize(("kind", "field"), sorted(set(_came_later())))
def test_what_the_oldest_revision_lacks_is_not_sent(kind: str, field: str) -> None:
    servers = GENERATIONS["2025-07"]
    reasons = [reason for name, reason in NEVER_SENT.items() if kind.startswith(name)]
    known = field in servers.lacking_fields.get(kind, ()) if field else kind in servers.lacking_variants
    assert known is not bool(reasons), (kind, field)


def test_every_reason_is_for_something() -> None:
    kinds = [kind for kind, _ in _came_later()]
    for name in NEVER_SENT:
        assert any(kind.startswith(name) for kind in kinds), name


def test_endpoints_are_those_that_came_later() -> None:
    recorded = {
        "{namespace}.{endpoint}".format(**place.groupdict())
        for path, span in RECORDED["partial"].items()
        if span.split("..")[0] > OLDEST and span.endswith(NEWEST)
        for place in [PLACE.fullmatch(path)]
        if place is not None and not place["type"] and not place["rest"]
    }
    ours = {name for change in HISTORY for name in change.endpoints}
    runtime = {name for name in ENDPOINTS if name.startswith("runtime.")}
    assert ours - runtime == recorded - runtime


def test_new_kinds_of_messages_exist() -> None:
    names = {name for change in HISTORY for name in change.variants}
    assert names
    for name in names:
        assert hasattr(diagnostics, name) or hasattr(repository, name), name


@pytest.mark.parametrize(
    ("generation", "kinds"),
    [
        ("2026", ["llm.prediction.input", "llm.prediction.output", "server.log", "llm.prediction.input"]),
        ("2025", ["llm.prediction.input", "llm.prediction.input"]),
    ],
)
def test_events_that_came_later_are_not_told(generation: Generation, kinds: list[str]) -> None:
    with (
        EmulatorThread(generation=generation) as emulator,
        lmwire.Client(emulator.api_host) as client,
        client.diagnostics.channel.stream_logs() as logs,
    ):
        client.connection("diagnostics").keep_alive()  # when that is answered, the server listens
        client.llm.model().complete("My name is", config={"maxTokens": 2})
        client.system.rpc.start_http_server()
        client.llm.model().complete("My name is", config={"maxTokens": 2})
        told = [packet.to_wire()["log"]["data"]["type"] for packet in itertools.islice(logs, len(kinds))]
    assert told == kinds


@pytest.mark.parametrize(
    ("generation", "packets"),
    [("2026", ["authenticationCode", "authenticated"]), ("2025", ["authenticated"])],
)
def test_signing_in_shows_a_code_only_where_there_are_codes(
    generation: Generation, packets: list[str]
) -> None:
    with (
        EmulatorThread(generation=generation) as emulator,
        lmwire.Client(emulator.api_host) as client,
        client.repository.channel.ensure_authenticated() as channel,
    ):
        assert [packet.to_wire()["type"] for packet in channel] == packets
