"""Runs peers: each in a process and an environment of its own, against one blast server."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from tests.interop import environments

__all__ = ["PEERS", "Peer", "PeerFailed", "blast_server", "run_peer", "unavailable"]

HERE: Final = Path(__file__).resolve().parent
TOO_LONG: Final = 600


class PeerFailed(Exception):
    """A peer ended with an error; the text is the end of what it said."""


@attrs.frozen(kw_only=True)
class Peer:
    """A client, or a library, that runs scenarios.

    Attributes:
        title: What a reader calls it.
        program: Its file in ``peers/``, None if it only takes part in ``import`` or in decoding and encoding.
        module: What a user imports; empty for nothing.
        sdk: The official SDK's version for Node.js, "python" for the one for Python; None runs in our own environment.
    """

    title: str
    program: str | None = None
    module: str = ""
    sdk: str | None = None

    def command(self, name: str, scenario: str, arguments: Sequence[str]) -> tuple[list[str], Path]:
        """Return the command that runs a scenario, and the folder to run it in.

        Raises:
            NotBuilt: Its environment cannot be had on this machine.
        """
        if self.sdk in environments.NODE_SDKS:
            project = environments.node_project(self.sdk)
            return [
                str(project.node.node),
                f"{HERE}/peers/{self.program}",
                scenario,
                *arguments,
            ], project.directory
        python = sys.executable if self.sdk is None else str(environments.python_interpreter())
        if scenario == "import":
            return [python, "-c", f"import {self.module}" if self.module else ""], HERE
        if scenario.startswith(("decode-", "encode-")):
            return [python, f"{HERE}/peers/message_codecs.py", name, scenario], HERE
        return [python, f"{HERE}/peers/{self.program}", scenario, *arguments], HERE


PEERS: Final[Mapping[str, Peer]] = {
    "lmwire": Peer(title="lmwire", program="lmwire_peer.py", module="lmwire"),
    "lmstudio": Peer(
        title=f"lmstudio {environments.PYTHON_SDK}",
        program="official_python.py",
        module="lmstudio",
        sdk="python",
    ),
    **{
        f"node-{version}": Peer(title=f"@lmstudio/sdk {version}", program="official_node.cjs", sdk=version)
        for version in environments.NODE_SDKS
    },
    "floor": Peer(title="bare loop", program="floor.py"),
    "bare-python": Peer(title="bare Python"),
    "msgspec": Peer(title="msgspec"),
    "cattrs": Peer(title="cattrs"),
}


def unavailable(name: str) -> str | None:
    """Say why a peer cannot run on this machine; None if it can. Builds its environment."""
    try:
        PEERS[name].command(name, "", ())
    except environments.NotBuilt as error:
        return str(error)
    return None


def run_peer(name: str, scenario: str, host: str, options: Mapping[str, Any]) -> Any:
    """Run one scenario and return what it printed; ``{"seconds": ...}``, the time of all of it, if that is no list.

    Raises:
        PeerFailed: It ended with an error, or not at all.
    """
    command, folder = PEERS[name].command(name, scenario, (host, json.dumps(options)))
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TOO_LONG, check=False
        )
    except subprocess.TimeoutExpired:
        raise PeerFailed(f"{name}, {scenario}: no end after {TOO_LONG} s") from None
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise PeerFailed(f"{name}, {scenario}: {done.stderr.strip()[-2000:]}")
    told = json.loads(done.stdout or "{}")
    return told if isinstance(told, list) else {"seconds": seconds, **told}


@contextlib.contextmanager
def blast_server() -> Iterator[str]:
    """Run the blast server; gives its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.blast"], cwd=HERE.parent, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield f"127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()
