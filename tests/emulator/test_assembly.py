"""Tokens become fragments: held back, cut and counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lmwire_emulator.engines.assembly import FragmentAssembler
from lmwire_emulator.engines.base import Fragment, Token


def assembled(pieces: list[str], *stop_strings: str) -> tuple[list[Fragment], str | None]:
    assembler = FragmentAssembler(stop_strings, with_tokens=True)
    fragments: list[Fragment] = []
    for number, piece in enumerate(pieces):
        fragments += assembler.add(Token(piece, number))
        if assembler.stop_string is not None:
            break
    return fragments + assembler.flush(), assembler.stop_string


def told(fragments: list[Fragment]) -> list[tuple[str, int, list[int]]]:
    return [(one.content, one.tokens_count, [token.id for token in one.tokens or ()]) for one in fragments]


def test_each_token_is_a_fragment() -> None:
    assert told(assembled(["a", "b"])[0]) == [("a", 1, [0]), ("b", 1, [1])]


def test_tokens_held_back_come_with_the_next_fragment() -> None:
    fragments, found = assembled(["x", "a", "b", "c"], "abd")

    assert told(fragments) == [("x", 1, [0]), ("abc", 3, [1, 2, 3])]
    assert found is None


def test_tokens_held_back_at_the_end_come_at_the_end() -> None:
    assert told(assembled(["x", "a", "b"], "abd")[0]) == [("x", 1, [0]), ("ab", 2, [1, 2])]


def test_tokens_of_the_stop_string_come_out_nowhere() -> None:
    fragments, found = assembled(["x", "a", "b", "d", "y"], "abd")

    assert told(fragments) == [("x", 1, [0])]
    assert found == "abd"


def test_a_token_that_is_cut_belongs_to_the_last_fragment() -> None:
    assert told(assembled(["one", " two. three"], ".")[0]) == [("one", 1, [0]), (" two", 1, [1])]


def test_a_token_of_which_a_part_is_held_back_comes_with_its_rest() -> None:
    assert told(assembled(["one\n", "two"], "\n\n")[0]) == [("one", 0, []), ("\ntwo", 2, [0, 1])]


def test_tokens_are_left_out_unless_asked_for() -> None:
    fragment = FragmentAssembler(()).add(Token("a", 1))

    assert fragment == [Fragment(content="a", tokens_count=1, tokens=None)]


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=8),
    st.lists(st.text("ab", min_size=2, max_size=4), max_size=2),
)
def test_all_tokens_are_counted_once(pieces: list[str], stop_strings: list[str]) -> None:
    fragments, found = assembled(pieces, *stop_strings)
    numbers = [token.id for fragment in fragments for token in fragment.tokens or ()]

    assert all(fragment.content for fragment in fragments)
    assert numbers == list(range(len(numbers)))
    assert sum(fragment.tokens_count for fragment in fragments) == len(numbers)
    if found is None:
        assert len(numbers) == len(pieces)
