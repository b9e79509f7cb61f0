"""The requirement plugin, on runs of its own: what is skipped, what is demanded, and what the closing table says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import plugin, requirements
from tests.support.requirements import Requirement

Run = Callable[..., pytest.RunResult]

# Plugins of other people that these runs can do without; each costs time to load.
WITHOUT = [
    part
    for name in ("hypothesispytest", "asyncio", "typeguard", "cacheprovider")
    for part in ("-p", f"no:{name}")
]

ASKED = {
    "mark": """
        from tests.support import requires
        @requires("moon")
        def test_asks(): raise SystemError("ran")
        """,
    "mark of the module": """
        from tests.support import requires
        pytestmark = requires("moon")
        def test_asks(): raise SystemError("ran")
        """,
    "call": """
        from tests.support import require
        def test_asks():
            require("moon")
            raise SystemError("ran")
        """,
    "fixture": """
        import pytest
        from tests.support import require
        @pytest.fixture(scope="session")
        def rocket(): require("moon")
        def test_asks(rocket): raise SystemError("ran")
        """,
    "import": """
        from tests.support import require
        require("moon")
        def test_asks(): raise SystemError("ran")
        """,
}


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one test file under the plugin, with ``LMWIRE_REQUIRE`` as given and two rows more in the table."""
    missing = Requirement("the moon", "wait for the night", lambda: "it is day")
    monkeypatch.setitem(requirements.TABLE, "moon", missing)
    monkeypatch.setitem(requirements.TABLE, "sun", Requirement("the sun", "wait for the day", lambda: None))

    def run(source: str, require: str | None = None) -> pytest.RunResult:
        monkeypatch.delenv(plugin.VARIABLE, raising=False)
        if require is not None:
            monkeypatch.setenv(plugin.VARIABLE, require)
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess("-p", "tests.support.plugin", *WITHOUT)

    return run


@pytest.mark.parametrize("way", ASKED)
def test_what_a_machine_lacks_is_skipped_and_listed(run: Run, way: str) -> None:
    result = run(ASKED[way])
    result.assert_outcomes(skipped=1)
    result.stdout.re_match_lines([r"=+ could not run =+", r"what +tests +why +how to enable"])
    result.stdout.re_match_lines([r"the moon +1 +it is day +wait for the night"])


@pytest.mark.parametrize("way", ASKED)
def test_a_demanded_row_turns_the_skip_into_a_failure(run: Run, way: str) -> None:
    result = run(ASKED[way], "moon")
    assert result.ret != 0
    outcomes = result.parseoutcomes()
    assert "skipped" not in outcomes
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1
    result.stdout.re_match_lines([r".*LMWIRE_REQUIRE demands moon, but: it is day"])
    result.stdout.re_match_lines([r"the moon +1 +it is day +wait for the night"])


@pytest.mark.parametrize(
    ("require", "outcomes"),
    [("", {"skipped": 1}), ("sun", {"skipped": 1}), (" sun , moon,", {"failed": 1}), ("all", {"failed": 1})],
)
def test_the_variable_takes_names_or_all(run: Run, require: str, outcomes: dict[str, int]) -> None:
    run(ASKED["call"], require).assert_outcomes(**outcomes)


def test_what_a_machine_has_is_run(run: Run) -> None:
    result = run("from tests.support import requires\n@requires('sun')\ndef test_asks(): pass", "all")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*could not run*")


def test_a_failing_test_stays_a_failure(run: Run) -> None:
    result = run(
        "from tests.support import requires\n@requires('sun')\ndef test_asks(): assert not 'ran'", "moon"
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*could not run*")


def test_rows_count_their_tests_and_the_table_closes_the_run(run: Run) -> None:
    result = run(
        """
        import pytest
        from tests.support import requires
        @requires("sun", "moon")
        @pytest.mark.parametrize("number", range(12))
        def test_asks(number): pass
        def test_runs(): pass
        """
    )
    result.assert_outcomes(skipped=12, passed=1)
    assert result.outlines[-2].split() == [
        "the",
        "moon",
        "12",
        "it",
        "is",
        "day",
        "wait",
        "for",
        "the",
        "night",
    ]
    assert "1 passed, 12 skipped" in result.outlines[-1]


def test_skips_that_no_row_explains_are_listed_too(run: Run) -> None:
    result = run(
        """
        import pytest
        @pytest.mark.skipif(True, reason="only on Windows")
        def test_registry(): pass
        @pytest.mark.xfail(reason="known")
        def test_known(): assert not "fixed"
        """,
        "all",
    )
    result.assert_outcomes(skipped=1, xfailed=1)
    result.stdout.re_match_lines([r"test_skips\S+ +1 +only on Windows$"])
    result.stdout.no_fnmatch_line("*known*wait*")


def test_an_unknown_name_is_refused_by_mark_and_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no requirement 'mars'"):
        requirements.requires("mars")
    result = run("def test_runs(): pass", "mars")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.re_match_lines([r".*LMWIRE_REQUIRE: no requirement 'mars'"])


def test_a_row_is_probed_once_in_a_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setitem(requirements.TABLE, "stars", Requirement("stars", "", lambda: asked.append("?")))
    source = (
        "from tests.support import require\ndef test_a(): require('stars')\ndef test_b(): require('stars')"
    )
    run(source).assert_outcomes(passed=2)
    assert asked == ["?"]


def test_the_table_wraps_long_cells() -> None:
    assert plugin.table(("a", "b"), [("one two three", "x"), ("four", "y")], widest=8).splitlines() == [
        "a        b",
        "one two  x",
        "three",
        "four     y",
    ]


def test_every_row_of_the_table_answers_with_one_line_or_none() -> None:
    cheap = set(requirements.TABLE) - {"network", "official-python", "official-node"}
    for name in cheap:
        why = requirements.why_unmet(name)
        assert why is None or (why and "\n" not in why), name
