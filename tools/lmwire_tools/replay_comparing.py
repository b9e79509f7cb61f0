"""Whether two things on the wire mean the same, and where they differ.

Config fields are found by their keys, numbers are equal by value (10 is 10.0, 1 is not true), the order of keys means
nothing. In answers, what no two servers have in common is set aside by rule (``VOLATILE``), and how a stream was cut
into packets: progress counts only as having been reported, fragments are put together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from lmwire_tools.replay_stories import Story

__all__ = ["VOLATILE", "Difference", "answer_of", "differences", "nearest", "same"]

VOLATILE: Final[Mapping[str, str]] = {
    r".*/(instanceReference|deviceIdentifier)": "every server has names of its own",
    r".*/lastUsedTime": "the time of day",
    r".*/stats/(tokensPerSecond|timeToFirstTokenSec|totalTimeSec)": "measured",
    r".*/result/(version|build)": "of the server",
    r".*/error/stack": "where in the server's source the error was made",
    r".*/(rootTitle|suggestion)": "said in other words",
    r".*/warnings/\d+/warning": "said in other words",
    r".*/warnings/\d+/kind": "older servers send none",
}
"""What is set aside in answers: patterns of JSON pointers, and why."""

_SHOWN: Final = 160
_ABSENT: Final = object()


@attrs.frozen
class Difference:
    """A place where an answer is not as recorded; ``str`` of it is one line."""

    pointer: str
    recorded: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: recorded {self.recorded_text}, now {self.actual_text}"

    @property
    def recorded_text(self) -> str:
        """What was recorded, as JSON that may be cut."""
        return _shown(self.recorded)

    @property
    def actual_text(self) -> str:
        """What came, as JSON that may be cut."""
        return _shown(self.actual)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values mean the same."""
    return next(differences(one, other), None) is None


def differences(one: Any, other: Any, pointer: str = "") -> Iterator[Difference]:
    """Where two JSON values differ."""
    left, right = _by_key(one), _by_key(other)
    if (
        isinstance(left, dict)
        and isinstance(right, dict)
        and isinstance(one, list) is isinstance(other, list)
    ):
        for key in [*left, *(key for key in right if key not in left)]:
            place = f"{pointer}/{key}"
            if key not in left or key not in right:
                yield Difference(place, left.get(key, _ABSENT), right.get(key, _ABSENT))
            else:
                yield from differences(left[key], right[key], place)
    elif isinstance(left, bool) or isinstance(right, bool):
        if left is not right:
            yield Difference(pointer, one, other)
    elif one != other:
        yield Difference(pointer, one, other)


def _by_key(value: Any) -> Any:
    """A list as a mapping: of config fields by their keys, of anything else by place."""
    if not isinstance(value, list):
        return value
    keys = [item.get("key") if isinstance(item, dict) else None for item in value]
    if keys and None not in keys and len(set(map(str, keys))) == len(keys):
        return {str(key): item.get("value", _ABSENT) for key, item in zip(keys, value, strict=True)}
    return dict(enumerate(value))


def nearest(wanted: Story, stories: Sequence[Story]) -> tuple[Story, list[Difference]] | None:
    """The story whose request is most like the one of ``wanted``, and how they differ; None if there are none."""
    candidates = [story for story in stories if story.endpoint == wanted.endpoint]
    compared = [
        (story, list(differences(_parameter(story), _parameter(wanted)))) for story in candidates or stories
    ]
    return min(compared, key=lambda pair: len(pair[1]), default=None)


def _parameter(story: Story) -> Any:
    return story.request.get(story.parameter_key, {})


def answer_of(frames: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a server said to one request, put in a form in which two servers can be compared.

    Of calls that is the result or the error; of channels how it ended, which texts and packets came, and which progress
    was reported.
    """
    answer: dict[str, Any] = {}
    for frame in frames:
        kind = frame["type"]
        if kind == "communicationWarning":
            answer.setdefault("warnings", []).append(
                {key: frame[key] for key in ("warning", "kind") if key in frame}
            )
        elif kind == "channelSend":
            _add_packet(answer, frame.get("message"))
        else:
            answer["ended by"] = kind
            answer.update({key: frame[key] for key in ("result", "error") if key in frame})
    return answer


def _add_packet(answer: dict[str, Any], packet: Any) -> None:
    kind = packet.get("type") if isinstance(packet, dict) else None
    fragment = packet.get("fragment") if isinstance(packet, dict) else None
    if isinstance(fragment, dict):
        content = str(fragment.get("content", ""))
        answer["text"] = answer.get("text", "") + content
    elif isinstance(kind, str) and "rogress" in kind:
        answer.setdefault("progress", {})[kind] = True
    else:
        answer.setdefault("packets", []).append(packet)


def is_volatile(pointer: str, more: Sequence[str] = ()) -> bool:
    """Whether a place is set aside by the rules, or by further patterns."""
    return any(re.fullmatch(pattern, pointer) for pattern in (*VOLATILE, *more))
