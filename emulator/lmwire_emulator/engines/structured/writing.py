"""Writing a value of compiled nodes, token by token.

A *stack* is what remains to be written: a frame on top, which knows what may come next, and the stack below it, where
the writing goes on when the frame is done. A frame's *moves* are weighted: a move with a token writes it, one without
only leads to another stack. Some beginnings belong to several stacks, such as ``{`` where either of two objects may
come; so the writer follows a set of stacks, each as likely as its way there, and drops those that a chosen token does
not fit. Stacks that have come together again are one and the same object, and their likelihoods are added.

Where a schema leaves open whether to go on (a string, an array, an optional member), going on gets less likely with
every step and impossible in the end. In a *hurry*, deep inside or after much text, only what leads to the lowest
value remains possible. So every text ends, whatever the sampler prefers, unless the schema demands endless things.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

import attrs

from lmwire_emulator.engines.ngram_model import NgramModel
from lmwire_emulator.engines.predictions import Prediction
from lmwire_emulator.engines.structured.checks import text_of
from lmwire_emulator.engines.structured.nodes import Array, Either, Literals, Node, Object, String
from lmwire_emulator.engines.tokenizer import END_OF_TEXT, Tokenizer

__all__ = ["structured_text"]

_MOST_STACKS: Final = 64
"""Of more stacks only the likeliest are followed."""
_DEEP: Final = 6
_LONG: Final = 400
"""Tokens after which everything is written in a hurry."""

# How likely something optional is, and how much of it there may be at most.
_OPTIONAL_MEMBER: Final = 0.75
_FIRST: Final = 0.9
_ANOTHER: Final = 0.6
_MORE_ELEMENTS: Final = 6
_MORE_MEMBERS: Final = 3
_SHALLOWER: Final = 0.8
"""Each level takes so much off the likelihood of another element or member."""

_USUAL_PIECES: Final = 6
_MORE_PIECES: Final = 40
_FEW_PIECES: Final = 3
"""The most pieces of a string in a hurry, unless it has to be longer."""
_PATIENCE: Final = 2.0
"""Beyond the usual length of a string, so many tokens make its end e times likelier."""

_WORD: Final = re.compile(r" [a-z]{5,12}")
_WORDS: Final = 40
_UNFIT: Final = re.compile(r'["\\\x00-\x1f]')
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


class Move(NamedTuple):
    """A step: how likely, which token (None for none), and what remains to be written then."""

    weight: float
    token: int | None
    then: Stack | None


class Frame(Protocol):
    """The top of a stack."""

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        """What may come next; the weights add up to 1."""
        ...


@attrs.frozen(eq=False)
class Stack:
    """What remains to be written; None stands for nothing."""

    top: Frame
    below: Stack | None


@attrs.define(eq=False)
class _Trie:
    """Texts by their tokens; ``count`` of them pass here, ``ends`` of them end here."""

    count: int = 0
    ends: int = 0
    branches: dict[int, _Trie] = attrs.field(factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str], tokenizer: Tokenizer) -> _Trie:
        """Make a trie of texts."""
        root = cls()
        for text in texts:
            node = root
            node.count += 1
            for token in tokenizer.tokenize(text):
                node = node.branches.setdefault(token, cls())
                node.count += 1
            node.ends += 1
        return root


class _Writer:
    """What frames need to know: the model, and how the writing goes."""

    def __init__(self, model: NgramModel) -> None:
        self.model = model
        self.written = 0
        self.tokens = functools.cache(model.tokenizer.tokenize)
        self.quote = self.tokens('"')[0]
        self._tries: dict[Literals, _Trie] = {}

    def hurried(self, depth: int) -> bool:
        """Whether to take the shortest way out."""
        return depth >= _DEEP or self.written >= _LONG

    def another(self, begun: bool, depth: int) -> float:
        """How likely another element or member is, or the first one."""
        return (_ANOTHER if begun else _FIRST) * _SHALLOWER**depth

    def trie(self, node: Literals) -> _Trie:
        """The texts of a node; made once."""
        trie = self._tries.get(node)
        if trie is None:
            trie = self._tries[node] = _Trie.of(node.texts, self.model.tokenizer)
        return trie

    @functools.cached_property
    def words(self) -> Sequence[str]:
        """Names for members that the schema does not name."""
        pieces = map(self.model.tokenizer.piece, range(END_OF_TEXT + 1, self.model.tokenizer.size))
        words = [piece[1:] for piece in pieces if _WORD.fullmatch(piece)][:_WORDS]
        return words or list(_LETTERS)


@attrs.frozen(eq=False)
class _Told:
    """These tokens, from one of them on."""

    tokens: Sequence[int]
    at: int = 0

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        rest = _Told(self.tokens, self.at + 1)
        yield Move(1.0, self.tokens[self.at], Stack(rest, below) if rest.at < len(self.tokens) else below)


@attrs.frozen(eq=False)
class _OneOf:
    """The rest of one of the texts in a trie."""

    trie: _Trie

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        for token, branch in self.trie.branches.items():
            yield Move(branch.count / self.trie.count, token, Stack(_OneOf(branch), below))
        if self.trie.ends:
            yield Move(self.trie.ends / self.trie.count, None, below)


@attrs.frozen(eq=False)
class _Value:
    """A value that a node allows."""

    node: Node
    depth: int

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        node = self.node
        leaves = node.leaves() if isinstance(node, Either) else (node,)
        if writer.hurried(self.depth):
            leaves = tuple(leaf for leaf in leaves if leaf.height == node.height)
        for leaf in leaves:
            frame: Frame
            if isinstance(leaf, Literals):
                frame = _OneOf(writer.trie(leaf))
            elif isinstance(leaf, String):
                frame = _String(leaf)
            elif isinstance(leaf, Array):
                frame = _Array(leaf, self.depth)
            else:
                frame = _Object(leaf, self.depth)
            yield Move(1 / len(leaves), None, Stack(frame, below))


@attrs.frozen(eq=False)
class _String:
    """A string, from its opening quote on."""

    node: String

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        yield Move(1.0, writer.quote, Stack(_Pieces(self.node, (END_OF_TEXT,)), below))


@attrs.frozen(eq=False)
class _Pieces:
    """The inside of a string, up to its closing quote.

    Attributes:
        pieces: The tokens so far, with the mark of a beginning text in front.
        length: Code points so far.
        surplus: How many pieces there are that the string does not need.
    """

    node: String
    pieces: tuple[int, ...]
    length: int = 0
    surplus: int = 0

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        complete = self.length >= self.node.shortest
        last = self.surplus >= (_FEW_PIECES if writer.hurried(0) else _MORE_PIECES)
        weights = {} if complete and last else self._weights(writer)
        ends = 0.0
        # An empty string is a value like any other, but says little.
        if complete and (self.length > 0 or not weights):
            ends = 1 / (1 + math.exp((_USUAL_PIECES - self.surplus) / _PATIENCE)) if weights else 1.0
            yield Move(ends, writer.quote, below)
        total = math.fsum(weights.values())
        for token, weight in weights.items():
            following = _Pieces(
                self.node,
                (*self.pieces[-3:], token),
                self.length + len(writer.model.tokenizer.piece(token)),
                self.surplus + complete,
            )
            yield Move((1 - ends) * weight / total, token, Stack(following, below))

    def _weights(self, writer: _Writer) -> Mapping[int, float]:
        """What the model says about the pieces that fit; letters if none does."""
        room = self.node.longest - self.length
        if room <= 0:
            return {}
        piece = writer.model.tokenizer.piece
        fitting = {
            token: weight
            for token, log in writer.model.distribution(self.pieces).items()
            if self._fits(piece(token), room) and (weight := math.exp(log)) > 0
        }
        return fitting or {writer.tokens(letter)[0]: 1.0 for letter in _LETTERS}

    def _fits(self, text: str, room: float) -> bool:
        return 0 < len(text) <= room and not _UNFIT.search(text) and (self.length > 0 or text[0].isalnum())


@attrs.frozen(eq=False)
class _Array:
    """An array from its element ``index`` on."""

    node: Array
    depth: int
    index: int = 0

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        node, index = self.node, self.index
        element = node.element(index)
        possible = index < node.longest and element.height < math.inf
        needed = index < node.shortest
        more = 0.0
        if needed:
            more = 1.0
        elif possible and index < node.shortest + _MORE_ELEMENTS and not writer.hurried(self.depth):
            more = writer.another(index > 0, self.depth)
        before, behind = ("[", "[]") if index == 0 else (", ", "]")
        if more > 0:
            then = Stack(_Value(element, self.depth + 1), Stack(_Array(node, self.depth, index + 1), below))
            yield Move(more, None, Stack(_Told(writer.tokens(before)), then))
        if more < 1:
            yield Move(1 - more, None, Stack(_Told(writer.tokens(behind)), below))


@attrs.frozen(eq=False)
class _Object:
    """An object from its declared member ``index`` on, or, behind the last one, from a member with another name.

    Attributes:
        names: The names of members that were not declared; such a member's name is never there twice.
        begun: Whether there are members already.
    """

    node: Object
    depth: int
    index: int = 0
    begun: bool = False
    names: tuple[str, ...] = ()

    def moves(self, below: Stack | None, writer: _Writer) -> Iterable[Move]:
        if self.index < len(self.node.members):
            return self._declared(below, writer)
        return self._others(below, writer)

    def _declared(self, below: Stack | None, writer: _Writer) -> Iterator[Move]:
        member = self.node.members[self.index]
        taken = 0.0
        if member.required:
            taken = 1.0
        elif member.value.height < math.inf and not writer.hurried(self.depth):
            taken = _OPTIONAL_MEMBER
        if taken > 0:
            after = attrs.evolve(self, index=self.index + 1, begun=True)
            then = Stack(_Value(member.value, self.depth + 1), Stack(after, below))
            name = f"{self._before()}{text_of(member.name)}: "
            yield Move(taken, None, Stack(_Told(writer.tokens(name)), then))
        if taken < 1:
            yield Move(1 - taken, None, Stack(attrs.evolve(self, index=self.index + 1), below))

    def _others(self, below: Stack | None, writer: _Writer) -> Iterator[Move]:
        others, more = self.node.others, 0.0
        if (
            others is not None
            and others.height < math.inf
            and len(self.names) < _MORE_MEMBERS
            and not writer.hurried(self.depth)
        ):
            more = writer.another(self.begun, self.depth)
            declared = {member.name for member in self.node.members}
            words = [word for word in writer.words if word not in declared and word not in self.names]
            for word in words:
                after = attrs.evolve(self, begun=True, names=(*self.names, word))
                then = Stack(_Value(others, self.depth + 1), Stack(after, below))
                name = f'{self._before()}"{word}": '
                yield Move(more / len(words), None, Stack(_Told(writer.tokens(name)), then))
        closing = "}" if self.begun else "{}"
        yield Move(1 - more, None, Stack(_Told(writer.tokens(closing)), below))

    def _before(self) -> str:
        return ", " if self.begun else "{"


_Stacks: TypeAlias = Mapping["Stack | None", float]


def structured_text(model: NgramModel, node: Node) -> Prediction:
    """Write JSON of a value that the node allows.

    Args:
        model: What the words in strings are from.
        node: A measured node.
    """
    writer = _Writer(model)
    stacks: _Stacks = {Stack(_Value(node, 0), None): 1.0}
    while True:
        moves = _writing_moves(stacks, writer)
        weights: dict[int, float] = {}
        for weight, token, _ in moves:
            weights[token] = weights.get(token, 0.0) + weight
        total = math.fsum(weights.values())
        chosen = yield {token: math.log(weight / total) for token, weight in weights.items()}
        if chosen == END_OF_TEXT:
            return
        writer.written += 1
        stacks = _followed(moves, chosen)


class _WritingMove(NamedTuple):
    weight: float
    token: int
    then: Stack | None


def _writing_moves(stacks: _Stacks, writer: _Writer) -> Sequence[_WritingMove]:
    """All moves with a token, however many without one lie before them."""
    found: list[_WritingMove] = []
    pending = list(stacks.items())
    while pending:
        stack, likelihood = pending.pop()
        if stack is None:
            found.append(_WritingMove(likelihood, END_OF_TEXT, None))
            continue
        for weight, token, then in stack.top.moves(stack.below, writer):
            if token is None:
                pending.append((then, likelihood * weight))
            else:
                found.append(_WritingMove(likelihood * weight, token, then))
    return [move for move in found if move.weight > 0]


def _followed(moves: Iterable[_WritingMove], chosen: int) -> _Stacks:
    """What remains to be written after a token: the stacks that it fits, with likelihoods that add up to 1."""
    stacks: dict[Stack | None, float] = {}
    for weight, token, then in moves:
        if token == chosen:
            stacks[then] = stacks.get(then, 0.0) + weight
    likeliest = sorted(stacks.items(), key=lambda entry: -entry[1])[:_MOST_STACKS]
    total = math.fsum(weight for _, weight in likeliest)
    return {stack: weight / total for stack, weight in likeliest}
