"""A real Jupyter kernel, whose event loop runs already: both clients, from cell to cell, and after an interrupt."""

from __future__ import annotations

from typing import Any

import pytest

from lmwire_emulator import EmulatorThread
from tests.support.requirements import require

PRINTS_ITS_TEXT = 'str(model.complete("My name is", config=CONFIG))'


class Notebook:
    """Cells that are run one after the other."""

    def __init__(self, api_host: str) -> None:
        import nbclient
        import nbformat

        self._format: Any = nbformat
        self.client: Any = nbclient
        head = """from lmwire import AsyncClient, Client
CONFIG = {"maxTokens": 5, "temperature": 0}
"""
        self._cells = [f"{head}HOST = {api_host!r}"]

    def cell(self, source: str) -> None:
        """Add a cell."""
        self._cells.append(source)

    def run(self) -> list[str]:
        """Run all; returns what each cell but the first printed or displayed. A cell that raises fails the test."""
        notebook = self._format.v4.new_notebook(
            cells=[self._format.v4.new_code_cell(cell) for cell in self._cells]
        )
        self.client.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
        return ["".join(map(self._text, cell.outputs)) for cell in notebook.cells[1:]]

    @staticmethod
    def _text(output: Any) -> str:
        return str(output.get("text") or output["data"]["text/plain"])


@pytest.fixture
def notebook(emulator: EmulatorThread) -> Notebook:
    require("jupyter")
    return Notebook(emulator.api_host)


def test_both_clients_from_cell_to_cell(notebook: Notebook) -> None:
    notebook.cell("client = Client(HOST)\nmodel = client.llm.model()\n" + PRINTS_ITS_TEXT)
    notebook.cell('"".join(str(fragment) for fragment in model.complete_stream("My name is", config=CONFIG))')
    notebook.cell("own = AsyncClient(HOST)\nawaited = await own.llm.model()")
    notebook.cell('str(await awaited.complete("My name is", config=CONFIG))')
    notebook.cell(
        'parts = []\nasync for fragment in awaited.complete_stream("My name is", config=CONFIG):\n'
        '    parts.append(str(fragment))\n"".join(parts)'
    )
    notebook.cell("await own.close()\nclient.close()\nprint('closed')")
    first, second, third, fourth, fifth, last = notebook.run()
    assert first
    assert first == second == fourth == fifth
    assert third == ""
    assert last.strip() == "closed"


def test_an_interrupted_cell_leaves_the_client_usable(notebook: Notebook) -> None:
    """What the kernel's stop button does: it interrupts the cell with KeyboardInterrupt."""
    notebook.cell("client = Client(HOST)\nmodel = client.llm.model()")
    notebook.cell(
        "import _thread, threading\n"
        "got = 0\n"
        "try:\n"
        '    for fragment in model.complete_stream("My name is", config={"maxTokens": 1000000}):\n'
        "        got += 1\n"
        "        if got == 3:\n"
        "            threading.Thread(target=_thread.interrupt_main).start()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')"
    )
    notebook.cell(PRINTS_ITS_TEXT)
    _, interrupted, text = notebook.run()
    assert interrupted.strip() == "interrupted"
    assert text
