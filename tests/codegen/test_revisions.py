"""Every real revision goes through sync, generate, check and selftest without a manual step, from any to any other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lmwire_codegen.changes.render import FORMATS, render_report
from lmwire_codegen.load import load_repairs
from lmwire_codegen.sync import diff, sync
from tests.codegen.revisions import NAMES, Revision, run
from tests.codegen.support import CHECKOUT
from tests.support.requirements import REVISIONS, requires

pytestmark = requires("revisions")

Revisions = Callable[[str], Revision]


@pytest.mark.parametrize("name", NAMES)
class TestEveryRevision:
    def test_sync_and_generate(self, name: str, revisions: Revisions) -> None:
        revision = revisions(name)
        assert revision.synced.exit_code == 0, revision.synced.output
        assert revision.generated.exit_code == 0, revision.generated.output
        assert load_repairs(revision.schema).topics.keys() >= {
            path.stem for path in revision.schema.glob("wire/types/*.json")
        }

    def test_check(self, name: str, revisions: Revisions) -> None:
        revision = revisions(name)
        done = run(
            "check", "--schema", revision.schema, "--out", revision.folder, "--package", revision.package
        )
        assert done.exit_code == 0, done.output

    def test_selftest(self, name: str, revisions: Revisions) -> None:
        revision = revisions(name)
        done = run(
            "selftest", "--schema", revision.schema, "--out", revision.folder, "--package", revision.package
        )
        assert done.exit_code == 0, done.output
        assert "note:" not in done.stderr

    def test_names_stay(self, name: str, revisions: Revisions) -> None:
        """What a revision calls differently has the same name in Python."""
        revision = revisions(name)
        llm = revision.module("llm")
        assert llm.GET_LOAD_CONFIG.result.type_name == "KvConfig"
        assert llm.LIST_LOADED.result.type_name == "list[LlmInstanceInfo]"
        assert llm.PredictSuccess.wire_names["load_model_config"] == "loadModelConfig"
        assert (
            revision.module("types.plugins").AvailablePluginInfo.wire_names["has_generator"] == "hasGenerator"
        )

    def test_what_the_surface_has_and_the_revision_has_not_is_left_out(
        self, name: str, revisions: Revisions
    ) -> None:
        revision = revisions(name)
        raw = "completeRawText" in revision.module("llm").NAMESPACE.channel
        absent = "left out, llm has no channel endpoint 'completeRawText' in this revision"
        assert (
            f"note: surface/llm.yaml#/streams/complete/attempts/0: {absent}" in revision.generated.stderr
        ) != raw
        assert ("schema/surface/llm.yaml:" in revision.synced.stdout) != raw

    def test_it_has_nothing_that_the_history_does_not_know(self, name: str, revisions: Revisions) -> None:
        """The history of the checkout is complete: syncing a known revision teaches it nothing."""
        for file in ("history.json", "names.lock.json"):
            assert (revisions(name).schema / file).read_bytes() == (CHECKOUT / "schema" / file).read_bytes()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_from_any_revision_to_any_other(tmp_path: Path) -> None:
    """The folder after a sync depends on the revision alone, not on where it came from."""
    schema = Path(shutil.copytree(CHECKOUT / "schema", tmp_path / "schema"))
    seen: dict[str, dict[str, bytes]] = {}
    route = [0, 3, 1, 0, 2, 1, 3, 2, 0, 1, 2, 3]
    for export in (REVISIONS[stop] for stop in route if stop < len(REVISIONS)):
        sync(export, schema)
        after = tree(schema)
        assert after == seen.setdefault(export.stem, after)
    assert tree(schema) == tree(CHECKOUT / "schema")


EXPECTED = [
    # kind, subject, breaks clients, breaks servers: from the section on what changed in the protocol's description
    ("added-required", "LlmInfo.publisher", False, True),
    ("added-required", "LlmInstanceInfo.ttlMs", False, True),
    ("added-required", "LlmInfo.deviceIdentifier", False, True),
    ("added-required", "LlmPredictionFragment.isStructural", False, True),
    ("added-required", "llm/channel/predict/toClient[promptProcessingProgress].details", False, True),
    ("added-required", "ModelSearchResultDownloadOptionData.compatibilityType", False, True),
    ("added-optional", "LlmInfo.quantization", False, False),
    ("added-optional", "LlmPredictionStats.stopString", False, False),
    ("added-optional", "llm/rpc/unloadModel/parameter.deviceIdentifier", False, False),
    ("removed-optional", "llm/channel/predict/toClient[fragment].logprobs", False, False),
    ("packet-removed", "repository/channel/ensureAuthenticated/toClient[authenticationUrl]", True, True),
    ("packet-added", "repository/channel/ensureAuthenticated/toClient[authenticationCode]", False, False),
    ("packet-added", "DiagnosticsLogEventData[runtime.log]", False, False),
    ("endpoint-removed", "repository/channel/createArtifactDownloadPlan", True, False),
    ("endpoint-added", "repository/channel/createDownloadPlan", False, False),
    ("endpoint-added", "llm/channel/completeRawText", False, False),
    ("namespace-added", "runtime", False, False),
    ("member-added", "ModelDomainType=drafter", False, False),
    ("member-added", "ModelCompatibilityType=pte", False, False),
    ("type-renamed", "AvailablePluginInfo", False, False),
]


def test_the_changes_of_a_year_are_those_that_are_known() -> None:
    if {"2025-07-21", "2026-08-21"} - set(NAMES):
        pytest.fail(f"the known revisions are not among {NAMES}")
    report = diff(REVISIONS[0], REVISIONS[-1], CHECKOUT / "schema")
    found = {(c.kind, c.subject, c.clients.breaking, c.servers.breaking) for c in report.changes}
    assert set(EXPECTED) - found == set()
    (renamed,) = [change for change in report.changes if change.subject == "AvailablePluginInfo"]
    assert renamed.old == "RemotePluginInfo"


def test_the_longest_way_can_be_told_in_every_form() -> None:
    report = diff(REVISIONS[-1], REVISIONS[0], CHECKOUT / "schema")
    said = {form: render_report(report, form) for form in FORMATS}
    assert len(json.loads(said["json"])["changes"]) == len(report.changes) > 100
    for form in ("text", "markdown"):
        assert "EnsureAuthenticatedAuthenticationUrl" not in said[form]  # names on the wire, not in Python
        assert "repository/channel/ensureAuthenticated/toClient[authenticationUrl]" in said[form]
