"""Programs in the manner of LM Studio's documentation run unchanged, with the output that they are written for.

Of its pages for Python these need agents, and are later work: ``act`` and tools.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lmwire_emulator import EmulatorThread, parse_script
from tests.support.emulators import run_program

PROGRAMS = Path(__file__).with_name("programs")
RUNNER = str(Path(__file__).with_name("run_form.py"))
FORMS = ("convenience", "scoped", "asynchronous")
TOKEN = "sk-lm-abcdefgh:ABCDEFGHIJKLMNOPQRST"

SAY_IT: dict[str, Any] = {"match": {"exact": "Say it."}, "reply": {"fragments": ["It."]}}
STORY: dict[str, Any] = {
    "match": {"exact": "Once upon a time"},
    "reply": {"progress": [0, 0.5, 1], "fragments": [" there", " was"], "end": "eosFound"},
}
COUNTING: dict[str, Any] = {
    "match": {"exact": "Count for ever:"},
    "reply": {"fragments": [" 1", " 2", " 3"], "end": "hang"},
}
BOOK: dict[str, Any] = {
    "match": {"exact": "About The Hobbit:"},
    "reply": {"fragments": ['{"title": "The Hobbit", ', '"author": "Tolkien", "year": 1937}']},
}
ANSWERS: list[dict[str, Any]] = [
    {"match": {"regex": "Why"}, "reply": {"fragments": ["why indeed"]}},
    {"match": {"regex": "meaning"}, "reply": {"fragments": ["For", "ty", "-two"]}},
    {"match": {"regex": "Hello"}, "reply": {"fragments": ["Hi."]}},
]
CHAT_OUTPUT = """\
Hi.
Forty-two
eosFound
['system', 'user', 'assistant', 'user', 'assistant']
1
"""
VECTOR: dict[str, Any] = {
    "endpoint": "embedding.embedString",
    "reply": {"result": {"embedding": [0.25, -1.5]}},
}
EMBEDDING_OUTPUT = """\
[0.25, -1.5] [[0.25, -1.5]]
['emulator/embed-small']
emulator/embed-small
embedding 2048
[]
"""
LISTING: list[dict[str, Any]] = [
    {"match": {"exact": "$ ls"}, "reply": {"fragments": ["\na.txt"]}},
    {"match": {"exact": "$ ls\n\na.txt\n$ pwd"}, "reply": {"fragments": ["\n/home"]}},
]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
SEEN: list[dict[str, Any]] = [
    {"match": {"regex": "Describe"}, "reply": {"fragments": ["A small", " image."]}}
]
IMAGE_OUTPUT = """\
small.png image 16
A small image.
small.png image 16
A small image.
"""
DOWNLOAD_OUTPUT = """\
emulator/ngram-large True
Ngram Large 20000000 fullGPUOffload None
20000000 of 20000000 bytes True
Finalizing
emulator/ngram-large@q8_0
True
"""

STORY_OUTPUT = """\
 there was
[Ngram Small]
[2 tokens, eosFound]
 there| was|
[Ngram Small]
[2 tokens, eosFound]
"""
BOOK_OUTPUT = "The Hobbit / Tolkien / 1937\nBook(title='The Hobbit', author='Tolkien', year=1937)\n" * 3
MODELS_OUTPUT = """\
DownloadedLlm(model_key='emulator/ngram-small', display_name='Ngram Small', architecture='ngram', vision=False)
emulator/ngram-small
['emulator/ngram-small']
Ngram Small
True True
[]
"""
OUTPUTS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "text_completion": ([STORY], STORY_OUTPUT),
    "cancelling": ([SAY_IT, COUNTING], " 1 2 3\nuserStopped\nIt.\n"),
    "structured_response": ([BOOK], BOOK_OUTPUT),
    "parameters": ([{"reply": {"fragments": [" there"]}}], "2048\n0.6 50\nanother 512\n"),
    "models": ([SAY_IT], MODELS_OUTPUT),
    "chat_completion": (ANSWERS, CHAT_OUTPUT),
    "embedding": ([VECTOR], EMBEDDING_OUTPUT),
    "downloading": ([], DOWNLOAD_OUTPUT),
    "callbacks": ([STORY], "0%\n50%\n100%\nfirst\n there\n was\n there was\n"),
}


def _run(program: str, *arguments: str, api_host: str | None = None, **options: Any) -> Any:
    return run_program([RUNNER, str(PROGRAMS / f"{program}.py"), *arguments], api_host, **options)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("program", OUTPUTS)
def test_program(program: str, form: str) -> None:
    rules, output = OUTPUTS[program]
    with EmulatorThread(script=parse_script({"rules": rules})) as emulator:
        done = _run(program, form, api_host=emulator.api_host)

    assert done.stdout == output
    assert done.stderr == ""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("program", ["text_completion", "cancelling", "chat_completion"])
def test_program_with_an_older_server(program: str, form: str) -> None:
    rules, output = OUTPUTS[program]
    with EmulatorThread(script=parse_script({"rules": rules}), generation="2025") as emulator:
        done = _run(program, form, api_host=emulator.api_host)

    assert done.stdout == output


@pytest.mark.parametrize("form", FORMS)
def test_structured_response_of_a_real_engine(form: str, emulator: EmulatorThread) -> None:
    done = _run("structured_response", form, api_host=emulator.api_host)

    assert done.stdout.count("Book(title=") == 3
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("form", "generation"), [*((form, "2026") for form in FORMS), ("scoped", "2025"), ("scoped", "2025-07")]
)
def test_image_input(form: str, generation: Any, tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    path.write_bytes(PNG)
    with EmulatorThread(script=parse_script({"rules": SEEN}), generation=generation) as emulator:
        done = _run("image_input", form, str(path), api_host=emulator.api_host)

    assert done.stdout == IMAGE_OUTPUT


def test_terminal() -> None:
    with EmulatorThread(script=parse_script({"rules": LISTING})) as emulator:
        done = _run("terminal", "main", api_host=emulator.api_host, stdin="ls\npwd\nexit\n")
        ended = _run("terminal", "main", api_host=emulator.api_host, stdin="ls\n")

    assert done.stdout == "$ \na.txt\n$ \n/home\n$ "
    assert ended.stdout == "$ \na.txt\n$ \n"


@pytest.mark.parametrize("form", FORMS)
def test_authentication_by_argument(form: str) -> None:
    with EmulatorThread(script=parse_script({"rules": [SAY_IT]}), api_tokens=[TOKEN]) as emulator:
        done = _run("authentication", form, TOKEN, api_host=emulator.api_host)
        refused = _run("authentication", form, api_host=emulator.api_host, check=False)
        malformed = _run("authentication", form, "your-token-here", api_host=emulator.api_host, check=False)

    assert done.stdout == "It.\n"
    assert refused.returncode == 1
    assert "LMStudioServerError" in refused.stderr
    assert malformed.returncode == 1
    assert "LMStudioValueError" in malformed.stderr
    assert "your-token-here" not in malformed.stderr


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variable", ["LM_API_TOKEN", "LMSTUDIO_API_TOKEN"])
def test_authentication_by_environment(variable: str, form: str) -> None:
    # run_program hides the environment of whoever runs the tests; a program may set its own.
    argv = [RUNNER, str(PROGRAMS / "authentication.py"), form]
    launcher = (
        f"import os, runpy, sys; os.environ[{variable!r}] = {TOKEN!r}; sys.argv = {argv!r};"
        f" runpy.run_path({RUNNER!r}, run_name='__main__')"
    )
    with EmulatorThread(script=parse_script({"rules": [SAY_IT]}), api_tokens=[TOKEN]) as emulator:
        done = run_program(["-c", launcher], emulator.api_host)

    assert done.stdout == "It.\n"


@pytest.mark.parametrize("form", FORMS)
def test_project_setup(form: str, unused_port: int) -> None:
    with EmulatorThread(script=parse_script({"rules": [SAY_IT]})) as emulator:
        done = _run("project_setup", form, emulator.api_host)
    nobody = _run("project_setup", form, f"127.0.0.1:{unused_port}", check=False)

    assert done.stdout == "It.\n"
    assert nobody.returncode == 1
    assert nobody.stderr == "not running\n"
