"""The programs of LM Studio's page on text completion, word for word, and their asyncio twins."""

from __future__ import annotations

import ast
import re

import pytest

from lmwire_emulator import EmulatorThread
from tests.support.emulators import ROOT, run_program

CONVENIENCE = """\
import lmstudio as lm

llm = lm.llm()

# You can process the response content incrementally...
prediction = llm.complete_stream("My name is")
for content_fragment in prediction:
    print(content_fragment, end="", flush=True)
# ...and then access the complete result at the end.
result = prediction.result()

# Alternatively, the SDK can internally handle both of those steps
result = llm.complete("My name is")
print(result)
"""

SCOPED = """\
import lmstudio

with lmstudio.Client() as client:
    llm = client.llm.model()

    # You can process the response content incrementally...
    prediction = llm.complete_stream("My name is")
    for content_fragment in prediction:
        print(content_fragment, end="", flush=True)
    # ...and then access the complete result at the end.
    result = prediction.result()

    # Alternatively, the SDK can internally handle both of those steps
    result = llm.complete("My name is")
    print(result)
"""

ASYNC_AWAITED = """\
import asyncio
import lmstudio

async def main():
    async with lmstudio.AsyncClient() as client:
        llm = await client.llm.model()
        prediction = await llm.complete_stream("My name is")
        async for content_fragment in prediction:
            print(content_fragment, end="", flush=True)
        result = prediction.result()
        print(await llm.complete("My name is"))

asyncio.run(main())
"""

ASYNC_DIRECT = """\
import asyncio
import lmstudio

async def main():
    client = lmstudio.AsyncClient()
    llm = await client.llm.model()
    async for content_fragment in llm.complete_stream("My name is"):
        print(content_fragment, end="", flush=True)
    print(await llm.complete("My name is"))
    await client.close()

asyncio.run(main())
"""

PROGRAMS = {
    "convenience": CONVENIENCE,
    "scoped": SCOPED,
    "asyncio, awaited": ASYNC_AWAITED,
    "asyncio, iterated": ASYNC_DIRECT,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_program_prints_text(program: str, emulator: EmulatorThread) -> None:
    done = run_program(["-c", program], emulator.api_host)

    assert len(done.stdout.split()) > 2
    assert "LlmPredictionFragment" not in done.stdout
    assert "PredictionResult" not in done.stdout
    assert done.stderr == ""


def test_programs_are_those_of_the_document() -> None:
    document = ROOT.parent / "shared" / "seed" / "text-completion.txt"
    if not document.exists():
        pytest.skip("the document lies beside the project on its developers' machines only")
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"code: \|\n(.*?)(?=\n {4}Python|\n```)", text, re.DOTALL)
    documented = [ast.dump(ast.parse(_dedented(block))) for block in blocks]

    assert documented == [ast.dump(ast.parse(CONVENIENCE)), ast.dump(ast.parse(SCOPED))]


def _dedented(block: str) -> str:
    return "\n".join(line[8:] for line in block.splitlines())
