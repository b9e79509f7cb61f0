"""What the two distributions hold, whichever way they are built, and that the plain pip lines of the README work."""

from __future__ import annotations

import email.message
import email.parser
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import attrs
import pytest

from tests.support import requires

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lmwire", "lmwire_codegen", "lmwire_emulator", "lmwire_runtime", "lmwire_tools")
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "tests")


@attrs.frozen
class Wheel:
    """The names of a wheel's files, and its metadata."""

    names: frozenset[str]
    metadata: email.message.Message

    def needs(self, extra: str | None = None) -> set[str]:
        """The names of the distributions that it requires, or that an extra adds."""
        needed: list[str] = self.metadata.get_all("Requires-Dist", [])
        mark = f"extra == '{extra}'" if extra else None
        chosen = [text for text in needed if (mark in text if mark else "extra ==" not in text)]
        return {text.replace(">", " ").replace("=", " ").replace(";", " ").split()[0] for text in chosen}


def build(source: Path, out: Path) -> Wheel:
    """Build the wheel of a project folder, with the installed hatchling."""
    wheel = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run([*wheel, "-w", out, source], check=True)
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = frozenset(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        return Wheel(names, email.parser.Parser().parsestr(archive.read(metadata).decode()))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree without what is not committed."""
    return shutil.copytree(ROOT, tmp_path_factory.mktemp("copy") / "checkout", ignore=IGNORED)


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    """The wheel of lmwire, built from the checkout."""
    return build(checkout, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_packages_and_nothing_else_at_the_top(wheel: Wheel) -> None:
    top = {name.split("/")[0] for name in wheel.names}
    assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES)


def test_every_module_of_the_checkout_is_in_the_wheel(wheel: Wheel, checkout: Path) -> None:
    roots = ("runtime", "generated", "codegen", "emulator", "tools")
    modules = {
        path.relative_to(checkout / root).as_posix()
        for root in roots
        for path in checkout.glob(f"{root}/**/*.py")
    }
    assert modules <= wheel.names
    assert "lmwire_runtime/wire.py" in modules


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(wheel: Wheel, package: str) -> None:
    assert f"{package}/py.typed" in wheel.names


def test_the_schema_ships_inside_the_compiler(wheel: Wheel, checkout: Path) -> None:
    schema = {
        f"lmwire_codegen/schema/{path.relative_to(checkout / 'schema').as_posix()}"
        for path in checkout.glob("schema/**/*.*")
    }
    assert schema
    assert schema <= wheel.names


def test_the_licence_ships(wheel: Wheel) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.names)
    assert wheel.metadata["License-Expression"] == "MIT"


def test_what_is_needed_is_little_and_has_no_upper_bound(wheel: Wheel) -> None:
    assert wheel.needs() == {"attrs", "websockets", "orjson"}
    assert wheel.needs("cli") == {"click", "pyyaml", "rich"}
    plain = [text for text in wheel.metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert not [text for text in plain if "<" in text or "==" in text.split(";")[0] or "~=" in text]


def test_the_compiler_is_pinned_exactly(wheel: Wheel) -> None:
    needed: list[str] = wheel.metadata.get_all("Requires-Dist", [])
    codegen = [text.split(";")[0] for text in needed if "extra == 'codegen'" in text]
    assert {text.split("==")[0] for text in codegen if "==" in text} == wheel.needs("codegen") - {"click"}


def test_the_wheel_of_the_source_archive_is_the_same(wheel: Wheel, checkout: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path], cwd=checkout, check=True
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    assert build(tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "wheel").names == wheel.names


def test_a_tree_without_schema_builds_all_the_same(wheel: Wheel, checkout: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(checkout, tmp_path / "bare", ignore=shutil.ignore_patterns("schema"))
    names = build(bare, tmp_path / "wheel").names
    assert names == {name for name in wheel.names if not name.startswith("lmwire_codegen/schema/")}


def test_the_second_distribution_is_the_drop_in_alone(checkout: Path, tmp_path: Path) -> None:
    drop_in = build(checkout / "sdk", tmp_path)
    assert {name.split("/")[0] for name in drop_in.names if ".dist-info/" not in name} == {"lmstudio"}
    assert "lmstudio/py.typed" in drop_in.names
    assert drop_in.needs() == {"lmwire"}


@requires("network")
@pytest.mark.timeout(300)
def test_the_plain_pip_lines_work(checkout: Path, tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=True)
    interpreter = next(
        path for path in (tmp_path / "bin/python", tmp_path / "Scripts/python.exe") if path.exists()
    )
    for project in (".", "./sdk"):
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", project], cwd=checkout, check=True)
    program = (
        "import attrs, websockets, orjson, lmwire, lmstudio; print(lmwire.__file__); print(lmstudio.__file__)"
    )
    told = subprocess.run(
        [interpreter, "-I", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert all(Path(line).is_relative_to(tmp_path) for line in told.stdout.split())
