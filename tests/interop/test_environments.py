"""The real clients' environments: what is in them, and that none is ever half-made."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.environments import NODE_SDKS, NodeProject, building
from tests.interop.environments.building import NotBuilt, ensure


def test_the_python_environment_has_the_official_sdk_and_not_lmwire(official_python: Path) -> None:
    program = (
        "import importlib.metadata as m, importlib.util as u; "
        "print(m.version('lmstudio'), u.find_spec('lmwire'), u.find_spec('pytest'))"
    )
    told = subprocess.run([official_python, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1.5.0", "None", "None"]


@pytest.mark.parametrize("version", NODE_SDKS)
def test_a_node_project_loads_its_sdk(official_node: Callable[[str], NodeProject], version: str) -> None:
    project = official_node(version)
    program = (
        "const {LMStudioClient} = require('@lmstudio/sdk');"
        "const {version} = require('./node_modules/@lmstudio/sdk/package.json');"
        "console.log(typeof LMStudioClient, version)"
    )
    told = subprocess.run(
        [project.node.node, "-e", program], cwd=project.directory, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["function", version]


def test_an_environment_is_built_once(tmp_path: Path) -> None:
    def build(directory: Path) -> None:
        (directory / "made").touch(exist_ok=False)

    first = ensure("thing", build, place=tmp_path)
    again = ensure("thing", lambda _: pytest.fail("built twice"), place=tmp_path)
    assert first == again == tmp_path / "thing"
    assert os.listdir(tmp_path) == ["thing"]
    assert os.listdir(first) == ["made"]


@pytest.mark.parametrize("error", [NotBuilt("no network"), KeyboardInterrupt()])
def test_a_build_that_is_cut_short_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    def build(directory: Path) -> None:
        (directory / "half").touch()
        raise error

    with pytest.raises(type(error)):
        ensure("thing", build, place=tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_build_that_failed_is_not_tried_again_in_the_same_run(tmp_path: Path) -> None:
    def build(_: Path) -> None:
        raise NotBuilt("no network")

    with pytest.raises(NotBuilt):
        ensure("thing", build, place=tmp_path)
    with pytest.raises(NotBuilt, match="no network"):
        ensure("thing", lambda _: pytest.fail("tried again"), place=tmp_path)


def test_of_two_builds_at_once_the_first_to_finish_wins(tmp_path: Path) -> None:
    def quick(directory: Path) -> None:
        (directory / "made by").write_text("the quick one")

    def slow(directory: Path) -> None:
        (directory / "made by").write_text("the slow one")
        ensure("thing", quick, place=tmp_path)

    assert (ensure("thing", slow, place=tmp_path) / "made by").read_text() == "the quick one"
    assert os.listdir(tmp_path) == ["thing"]


def test_what_a_killed_run_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".building-old", tmp_path / ".building-young"
    for left in (old, young):
        left.mkdir()
    long_ago = time.time() - 10 * 3600
    os.utime(old, (long_ago, long_ago))
    ensure("thing", lambda _: None, place=tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".building-young", "thing"]


def test_a_failed_step_tells_its_last_error(tmp_path: Path) -> None:
    script = tmp_path / "step.py"
    script.write_text("print('ERROR: no such package'); print('hint: look again'); raise SystemExit(3)")
    with pytest.raises(NotBuilt, match=r"^ERROR: no such package$"):
        building.run([sys.executable, script])
