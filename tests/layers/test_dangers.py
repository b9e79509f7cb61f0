"""No source runs text as code, and no committed file holds a secret; and the scans notice when one does."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest
import yaml

from lmwire_codegen import yaml_text
from tests.layers.committed import committed
from tests.layers.dangers import ALLOWED_SECRETS, CAUTIOUS, code_runners, secrets_in, texts_of
from tests.layers.imports import files_of
from tests.layers.rules import SOURCE_ROOTS
from tests.support import requires

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("room", SOURCE_ROOTS)
def test_no_source_runs_text_as_code(room: str) -> None:
    files = files_of(ROOT, f"{room}/**/*.py")
    assert files
    found: list[str] = []
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        faults = code_runners(file.read_text(encoding="utf-8"))
        found += [
            f"{name} {fault}" for fault in faults if fault.partition(": ")[2] not in CAUTIOUS.get(name, ())
        ]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from marshal import loads",
        "eval(text)",
        "exec('x = 1')",
        "yaml.load(file)",
        "yaml.load(file, Loader=yaml.Loader)",
        "__import__(name)",
        "builtins.eval",
        "subprocess.run(command, shell=True)",
    ],
)
def test_each_way_is_noticed(planted: str) -> None:
    assert code_runners(planted)


def test_the_safe_ways_are_not() -> None:
    assert (
        code_runners("yaml.safe_load(x); re.compile(p); loop.run(f); ast.literal_eval(x); model.eval()") == []
    )


@requires("git")
def test_no_committed_file_holds_a_secret() -> None:
    assert [fault for name, text in texts_of(ROOT, committed(ROOT)) for fault in secrets_in(name, text)] == []


@requires("git")
def test_the_allow_list_is_not_out_of_date() -> None:
    assert ALLOWED_SECRETS.keys() <= set(committed(ROOT))


def test_the_careful_loader_makes_plain_data_only() -> None:
    with pytest.raises(yaml.YAMLError):
        yaml_text.load_yaml("!!python/object/apply:os.getcwd []")


def _random_text(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(random.Random(7).choices(letters, k=length))


@pytest.mark.parametrize(
    "secret",
    [
        f"sk-lm-{_random_text(8)}:{_random_text(20)}",
        "-----BEGIN RSA PRIVATE " + "KEY-----",
        "AKIA" + _random_text(16, string.ascii_uppercase),
        "ghp_" + _random_text(36),
        f"https://someone:{_random_text(12)}@host/",
        _random_text(80),
    ],
)
def test_a_planted_secret_is_found_and_not_shown(secret: str) -> None:
    (fault, *_) = secrets_in("a.py", f'key = "{secret}"\n')
    assert fault.startswith("a.py:1 has what looks like")
    assert secret not in fault
