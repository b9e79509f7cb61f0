"""A client that does to a server what a recording tells of, and compares the answers.

Each recorded connection is one of its own, one after the other. Frames are sent in their recorded order; before each of
them comes what the server had said until then, as far as it says it: how a stream is cut into packets may differ.
Names that the server made up (instance references) are translated into those of the server at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from lmwire_tools.conformance.raw import Connection, Server
from lmwire_tools.replay_comparing import Difference, answer_of, differences, is_volatile
from lmwire_tools.replay_stories import Story, named

__all__ = ["Compared", "drive"]

_MADE_UP: Final = "instanceReference"
_ENDS: Final = ("rpcResult", "rpcError", "channelClose", "channelError")


@attrs.frozen
class Compared:
    """A request, and how its answer differs from the recorded one.

    Attributes:
        name: The endpoint, numbered where it comes several times.
        differences: Where, those that are set aside left out.
        aside: How many were set aside.
    """

    name: str
    differences: Sequence[Difference]
    aside: int


def drive(server: Server, stories: Sequence[Story], *, ignore: Sequence[str] = ()) -> Iterator[Compared]:
    """Do to a server what was recorded; ``ignore`` has patterns of JSON pointers that are set aside too.

    Raises:
        Failed: The server does not answer at all.
    """
    names = dict(zip(map(id, stories), named(stories), strict=True))
    references: dict[str, str] = {}
    for number in dict.fromkeys(story.connection for story in stories):
        own = [story for story in stories if story.connection == number]
        with server.open(own[0].namespace) as opened:
            connection = _Driven(opened, references)
            for story in own:
                answer = connection.ask(story)
                yield _compared(names[id(story)], story, answer, references, ignore)


def _compared(
    name: str,
    story: Story,
    answer: Sequence[Mapping[str, Any]],
    references: dict[str, str],
    ignore: Sequence[str],
) -> Compared:
    recorded = answer_of(story.said("to_client"))
    found = list(differences(recorded, answer_of(answer)))
    for difference in found:
        if difference.pointer.endswith(f"/{_MADE_UP}") and isinstance(difference.recorded, str):
            references[difference.recorded] = str(difference.actual)
    kept = [difference for difference in found if not is_volatile(difference.pointer, ignore)]
    return Compared(name, kept, len(found) - len(kept))


class _Driven:
    """A connection on which requests are made one after the other."""

    def __init__(self, connection: Connection, references: Mapping[str, str]) -> None:
        self._connection = connection
        self._references = references

    def ask(self, story: Story) -> list[Mapping[str, Any]]:
        """Make a request, say into its channel what was said, and return what comes back."""
        self._say(story.request)
        answer: list[Mapping[str, Any]] = []
        recorded = 0
        for step in story.steps:
            if step.direction == "to_client":
                recorded += 1
                continue
            self._listen(story, answer, recorded)
            if not _is_over(answer):
                self._say(step.frame)
        if story.ended or _was_warned(story):
            self._listen(story, answer, None)
        return answer

    def _say(self, frame: Mapping[str, Any]) -> None:
        text = json.dumps(frame)
        for recorded, actual in self._references.items():
            text = text.replace(json.dumps(recorded), json.dumps(actual))
        self._connection.send(text)

    def _listen(self, story: Story, answer: list[Mapping[str, Any]], count: int | None) -> None:
        """Take frames of a request until there are so many, or (None) until its end."""
        while not _is_over(answer) and (count is None or len(answer) < count):
            frame = self._connection.receive(f"the answer to {story.endpoint}")
            if frame.get("type") == "communicationWarning":
                # What was said into a channel may have crossed its end, which means nothing.
                if "unknown channel," not in str(frame.get("warning")):
                    answer.append(frame)
                continue
            if frame.get(story.id_key) == story.request[story.id_key]:
                answer.append(frame)


def _is_over(answer: Sequence[Mapping[str, Any]]) -> bool:
    return bool(answer) and answer[-1].get("type") in (*_ENDS, "communicationWarning")


def _was_warned(story: Story) -> bool:
    return any(frame.get("type") == "communicationWarning" for frame in story.said("to_client"))
