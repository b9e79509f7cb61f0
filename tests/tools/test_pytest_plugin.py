"""The pytest plugin, as its users meet it: in runs of their own tests."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest

from lmwire_emulator import EmulatorThread
from tests.interop.environments import NodeProject

# Plugins of other people that these runs can do without; each costs time to load.
WITHOUT = [
    part
    for name in ("hypothesispytest", "asyncio", "typeguard", "cacheprovider", "anyio", "timeout")
    for part in ("-p", f"no:{name}")
]

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Runs pytest on a test file."""

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(textwrap.dedent(source))
        return pytester.runpytest_inprocess(*WITHOUT, "-q", "-W", "error", *arguments)

    return run


def test_a_test_scripts_its_server(run: Run) -> None:
    done = run(
        """
        import re
        import lmwire
        import pytest

        def complete(prompt, **options):
            with lmwire.Client() as client:
                return client.llm.model().complete(prompt, **options).content

        def test_default(lmstudio_server):
            assert complete("x") == "Hello from the emulator."

        def test_replies_in_order(lmstudio_server):
            lmstudio_server.reply("first", times=1)
            lmstudio_server.reply("A", "da", to=re.compile("name"))
            lmstudio_server.reply("other", to="exactly")
            assert [complete("my name") for _ in range(2)] == ["first", "Ada"]
            assert complete("exactly") == "other"
            with pytest.raises(lmwire.LMWireError, match="no reply to this prompt"):
                complete("not exactly")

        def test_failures(lmstudio_server):
            lmstudio_server.fail("out of memory", to="a")
            lmstudio_server.reply("x", to="b", end="drop")
            lmstudio_server.load("emulator/ngram-vision", end={"error": {"title": "too large"}})
            lmstudio_server.answer("llm.countTokens", end="unhandled")
            with pytest.raises(lmwire.LMWireError, match="out of memory"):
                complete("a")
            with pytest.raises(lmwire.ConnectionLostError):
                complete("b")
            with lmwire.Client() as client:
                with pytest.raises(lmwire.LMWireError, match="too large"):
                    client.llm.model("emulator/ngram-vision")
                with pytest.raises(lmwire.LMWireError, match="countTokens"):
                    client.llm.model().count_tokens("x")

        def test_answers_are_heard_while_a_client_is_connected(lmstudio_server):
            with lmwire.Client() as client:
                model = client.llm.model()
                assert model.complete("x").content == "Hello from the emulator."
                lmstudio_server.reply("now")
                lmstudio_server.answer("llm.countTokens", {"tokenCount": 77})
                assert model.complete("x").content == "now"
                assert model.count_tokens("x") == 77
        """
    )
    done.assert_outcomes(passed=4)


def test_what_the_client_sent_can_be_asserted(run: Run) -> None:
    done = run(
        """
        import lmwire
        import pytest

        def test_requests(lmstudio_server):
            with lmwire.Client() as client:
                model = client.llm.model()
                model.complete("x", config={"temperature": 0.5})
                lmstudio_server.reply("one", "two", end="hang")
                with model.complete_stream("y") as stream:
                    next(iter(stream))
            requests = lmstudio_server.requests
            assert requests.endpoints == ["llm.listLoaded", "llm.completeRawText", "llm.completeRawText"]
            first, second = requests.sent("llm.completeRawText")
            assert first.parameter["rawPrompt"] == "x"
            assert first.config["llm.prediction.temperature"] == 0.5
            assert not first.cancelled
            assert requests.wait_for("llm.completeRawText", that=lambda sent: sent.cancelled) is second
            assert requests.one("llm.listLoaded").parameter is lmwire.UNSET
            assert not requests.sent("llm.predict")
            assert requests.warnings == []
            with pytest.raises(ValueError, match="did you mean llm.completeRawText"):
                requests.sent("llm.completRawText")
            with pytest.raises(AssertionError, match="all that came: llm.listLoaded, llm.completeRawText"):
                requests.one("llm.tokenize")
            with pytest.raises(AssertionError, match="0 requests of llm.tokenize within 0.01 s"):
                requests.wait_for("llm.tokenize", timeout=0.01)
            requests.clear()
            assert len(requests) == 0
        """
    )
    done.assert_outcomes(passed=1)


def test_a_mark_makes_the_server(run: Run) -> None:
    done = run(
        """
        import lmwire
        import pytest

        TOKEN = "sk-lm-AbCd1234:0123456789abcdefghij"

        @pytest.mark.lmstudio(api_tokens=[TOKEN], loaded=[], generation="2025")
        def test_mark(lmstudio_server):
            with pytest.raises(lmwire.AuthenticationError):
                lmwire.Client().llm.rpc.list_loaded()
            with lmwire.Client(api_token=TOKEN) as client:
                assert client.llm.rpc.list_loaded() == []

        @pytest.mark.lmstudio(script={"rules": [{"reply": {"fragments": ["scripted"]}}]})
        def test_script(lmstudio_server):
            with lmwire.Client() as client:
                assert client.llm.model().complete("x").content == "scripted"
        """,
        "--strict-markers",
    )
    done.assert_outcomes(passed=2)


def test_default_clients_do_not_outlive_their_server(run: Run) -> None:
    done = run(
        """
        import lmstudio as lms
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_default_client(lmstudio_server, number):
            lmstudio_server.reply(str(number))
            assert lms.llm().complete("x").content == str(number)

        @pytest.mark.parametrize("number", range(2))
        def test_configured_client(lmstudio_server, number):
            lms.configure_default_client(lmstudio_server.host)
            assert lms.llm().complete("x").content == "Hello from the emulator."
        """
    )
    done.assert_outcomes(passed=5)


def test_programs_in_other_processes_find_it(run: Run) -> None:
    done = run(
        """
        import subprocess
        import sys

        def test_subprocess(lmstudio_server):
            lmstudio_server.reply("from afar")
            command = [sys.executable, "-m", "lmwire_tools", "complete", "x"]
            assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "from afar\\n"
            assert lmstudio_server.environment == dict.fromkeys(
                ["LMSTUDIO_API_HOST", "LM_API_HOST"], lmstudio_server.host
            )
        """
    )
    done.assert_outcomes(passed=1)


def test_programs_on_node_find_it(run: Run, official_node: Callable[[str], NodeProject]) -> None:
    project = official_node("2.0.0")
    program = """
        const { createRequire } = require("node:module");
        const { LMStudioClient } = createRequire(process.cwd() + "/")("@lmstudio/sdk");
        const client = new LMStudioClient({ baseUrl: `ws://${process.env.LMSTUDIO_API_HOST}` });
        client.llm.model()
          .then((model) => model.complete("x", { temperature: 0.25 }))
          .then((result) => { console.log(result.content); process.exit(0); });
        """
    done = run(
        f"""
        import subprocess

        def test_node(lmstudio_server):
            lmstudio_server.reply("from", " afar")
            command = [{str(project.node.node)!r}, "-e", {program!r}]
            ran = subprocess.run(command, cwd={str(project.directory)!r}, capture_output=True, text=True)
            assert (ran.stdout, ran.returncode) == ("from afar\\n", 0), ran.stderr
            assert lmstudio_server.requests.one("llm.completeRawText").config["llm.prediction.temperature"] == 0.25
        """
    )
    done.assert_outcomes(passed=1)


HEAVY = ("lmwire", "lmwire_runtime", "lmwire_emulator", "attrs", "websockets", "orjson", "asyncio")


def test_a_run_without_it_loads_nothing() -> None:
    program = textwrap.dedent(
        f"""
        import sys
        import pytest
        before = set(sys.modules)
        import lmwire_tools.pytest_plugin
        ours = sorted(set(sys.modules) - before)
        assert ours == ["lmwire_tools", "lmwire_tools.pytest_plugin"], ours
        assert not {set(HEAVY)!r} & (set(sys.modules) - before)
        """
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_fixtures_need_no_other_extra() -> None:
    program = textwrap.dedent(
        """
        import sys
        for name in ("click", "rich", "yaml", "jinja2"):
            sys.modules[name] = None
        import lmwire_tools.pytest_plugin.recorded
        import lmwire_tools.pytest_plugin.server
        """
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_fixtures_tell_what_they_are(run: Run) -> None:
    done = run("", "--fixtures", "--markers")
    done.stdout.fnmatch_lines(["*@pytest.mark.lmstudio*"])
    assert run("", "--help").stdout.str().count("--lmstudio-record") == 1


# What cannot be in a file's name is replaced, and told apart by a hash.
MY_NAME_IS = "test_recorded[My_name_is]-64398aa3"
ODD = "test_recorded[a_b_]-" + hashlib.sha256(b"test_recorded[a/b: ?]").hexdigest()[:8]

RECORDED = """
    import lmwire
    import pytest

    @pytest.mark.parametrize("prompt", ["My name is", "a/b: ?"])
    def test_recorded(lmstudio_recording, prompt):
        with lmwire.Client() as client:
            model = client.llm.model()
            stream = model.complete_stream({prompt}, config={{"maxTokens": 3, "temperature": {temperature}}})
            text = "".join(str(fragment) for fragment in stream)
            assert stream.result().content == text
            assert model.count_tokens("x") > 0
        assert lmstudio_recording.path.parent.name == "test_it"
    """


def recorded(temperature: float = 0.25, prompt: str = "prompt") -> str:
    return textwrap.dedent(RECORDED.format(temperature=temperature, prompt=prompt))


def test_record_once_and_replay_for_ever(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=recorded())
    with EmulatorThread() as emulator:
        pytester.runpytest_inprocess(*WITHOUT, "--lmstudio-record", emulator.api_host).assert_outcomes(
            passed=2
        )
        host = emulator.api_host
    files = sorted(pytester.path.glob("recordings/test_it/*.jsonl"))
    assert [file.name for file in files] == [f"{MY_NAME_IS}.jsonl", f"{ODD}.jsonl"]
    assert b"clientPasskey" in files[0].read_bytes()
    assert b"<redacted>" in files[0].read_bytes()

    # The server is gone; options that mean the same are the same.
    for temperature in ("0.25", "1/4"):
        pytester.makepyfile(test_it=recorded().replace("0.25", temperature))
        pytester.runpytest_inprocess(*WITHOUT).assert_outcomes(passed=2)
    done = pytester.runpytest_inprocess(*WITHOUT, "--lmstudio-record", host)
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines([f"*nothing to record at {host}: *"])
    pytester.runpytest_inprocess(*WITHOUT).assert_outcomes(passed=2)


ALIKE = """
    import lmwire
    import pytest

    def complete(host, prompt):
        with lmwire.Client(host) as client:
            assert client.llm.model().complete(prompt, config={"maxTokens": 2}).content

    class TestOne:
        def test_it(self, lmstudio_recording):
            complete(lmstudio_recording.host, "one")

    class TestOther:
        def test_it(self, lmstudio_recording):
            complete(lmstudio_recording.host, "other")

    @pytest.mark.parametrize("prompt", ["a/b", "a b", "a_b", "x" * 300])
    def test_it(lmstudio_recording, prompt):
        complete(lmstudio_recording.host, prompt)
"""


def test_no_two_tests_share_a_recording(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=textwrap.dedent(ALIKE))
    with EmulatorThread() as emulator:
        pytester.runpytest_inprocess(*WITHOUT, "--lmstudio-record", emulator.api_host).assert_outcomes(
            passed=6
        )
    names = {file.name for file in pytester.path.glob("recordings/test_it/*.jsonl")}
    assert names > {"TestOne.test_it.jsonl", "TestOther.test_it.jsonl", "test_it[a_b].jsonl"}
    assert len(names) == 6
    pytester.runpytest_inprocess(*WITHOUT).assert_outcomes(passed=6)


def test_a_recording_of_nothing_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(lmstudio_recording): pass")
    with EmulatorThread() as emulator:
        done = pytester.runpytest_inprocess(*WITHOUT, "--lmstudio-record", emulator.api_host)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["nothing that could be replayed was recorded (*"])
    assert not list(pytester.path.glob("**/*.jsonl"))


def test_what_was_not_recorded_is_told_with_the_nearest_request(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=recorded())
    with EmulatorThread() as emulator:
        pytester.runpytest_inprocess(*WITHOUT, "--lmstudio-record", emulator.api_host)
    pytester.makepyfile(test_it=recorded(0.5))
    done = pytester.runpytest_inprocess(*WITHOUT, "-k", "name")

    done.assert_outcomes(failed=1, errors=1)
    done.stdout.fnmatch_lines(
        [
            "the recording has no such request: llm.completeRawText {*",
            "the nearest one that was recorded differs in",
            "  *llm.prediction.temperature: recorded 0.25, now 0.5",
            "The recording is *test_recorded*My_name_is*.jsonl. *",
        ]
    )


def test_without_a_recording_it_is_said_how_to_make_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=recorded())
    done = pytester.runpytest_inprocess(*WITHOUT, "-k", "name")

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*there is no recording of this test at *--lmstudio-record HOST:PORT*"])


@pytest.mark.parametrize("content", ["oops\n", "", '{"event": "recording", "format": 99}\n'])
def test_a_broken_recording_is_told(pytester: pytest.Pytester, content: str) -> None:
    pytester.makepyfile(test_it=recorded())
    file = pytester.path / "recordings" / "test_it" / f"{MY_NAME_IS}.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(content, encoding="utf-8")
    done = pytester.runpytest_inprocess(*WITHOUT, "-k", "name")

    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*record it anew with --lmstudio-record*"])
