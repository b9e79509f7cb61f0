"""A server that answers from a recording.

A request is answered as the recorded one was that means the same; of several in the order in which they were recorded,
and the last of them again and again. Ids are those of the client that asks. In a channel the server waits where it had
waited for the client: what followed a recorded cancel is sent after a cancel. A request that was not recorded gets an
error, and is noted.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from lmwire_runtime.access import DEFAULT_ACCESS, AccessRule
from lmwire_tools.raw_server import RawServer
from lmwire_tools.replay_comparing import differences, nearest
from lmwire_tools.replay_stories import Step, Story

__all__ = ["ReplayServer"]

_SHOWN: Final = 300
_BEGINNINGS: Final = {"rpcCall": "callId", "channelCreate": "channelId"}
_LISTED: Final = 6


class ReplayServer(RawServer):
    """See the module docstring; a context manager.

    Args:
        stories: What was recorded.
        host: Where to listen.
        port: Where to listen, 0 for any free port.
        access: Which web pages may use it, and under which names it may be asked for.

    Attributes:
        mismatches: What was asked and is not in the recording, each as a text for people.
    """

    def __init__(
        self,
        stories: Sequence[Story],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        access: AccessRule = DEFAULT_ACCESS,
    ) -> None:
        super().__init__(host, port, access=access)
        self._stories = list(stories)
        self._used: set[int] = set()
        self._lock = threading.Lock()
        self.mismatches: list[str] = []

    @property
    def unused(self) -> list[Story]:
        """The recorded requests that nobody has made."""
        with self._lock:
            return [story for number, story in enumerate(self._stories) if number not in self._used]

    async def serve(self, client: ServerConnection, namespace: str) -> None:
        connection = _Connection(self, client, namespace)
        try:
            await connection.run()
        except ConnectionClosed:
            return
        finally:
            connection.end()

    def take(self, asked: Story) -> Story | None:
        """The recorded story of a request; None, with a note, if there is none."""
        with self._lock:
            fitting = [
                number
                for number, story in enumerate(self._stories)
                if story.endpoint == asked.endpoint and _means_the_same(story, asked)
            ]
            if fitting:
                number = next((number for number in fitting if number not in self._used), fitting[-1])
                self._used.add(number)
                return self._stories[number]
        self.note(_told(asked, self._stories))
        return None

    def note(self, mismatch: str) -> None:
        """Note what does not fit the recording."""
        with self._lock:
            self.mismatches.append(mismatch)


def _means_the_same(recorded: Story, asked: Story) -> bool:
    key = recorded.parameter_key
    if asked.parameter_key != key or (key in recorded.request) != (key in asked.request):
        return False
    return next(differences(recorded.request.get(key), asked.request.get(key)), None) is None


def _told(asked: Story, stories: Sequence[Story]) -> str:
    parameter = json.dumps(asked.request.get(asked.parameter_key), ensure_ascii=False)
    shown = parameter if len(parameter) <= _SHOWN else parameter[:_SHOWN] + "..."
    lines = [f"the recording has no such request: {asked.endpoint} {shown}"]
    found = nearest(asked, stories)
    if found is None:
        return "\n".join([*lines, "it has no requests at all"])
    story, unlike = found
    if story.endpoint != asked.endpoint:
        known = ", ".join(sorted({story.endpoint for story in stories}))
        return "\n".join([*lines, f"no request of that endpoint was recorded; it has {known}"])
    lines.append("the nearest one that was recorded differs in")
    lines += [f"  {difference}" for difference in unlike[:_LISTED]]
    if len(unlike) > _LISTED:
        lines.append(f"  and {len(unlike) - _LISTED} places more")
    return "\n".join(lines)


@attrs.define(eq=False)
class _Channel:
    """A channel that is being replayed: what comes next, and how much the client has said."""

    story: Story
    said: asyncio.Queue[Mapping[str, Any]] = attrs.field(factory=asyncio.Queue)


class _Connection:
    """One client's connection."""

    def __init__(self, server: ReplayServer, client: ServerConnection, namespace: str) -> None:
        self._server = server
        self._client = client
        self._namespace = namespace
        self._channels: dict[Any, _Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer until the client leaves."""
        authenticated = False
        async for message in self._client:
            try:
                frame = json.loads(message)
            except ValueError:
                continue
            if not isinstance(frame, dict):
                continue
            if authenticated:
                await self._take(frame)
            elif frame.get("authVersion") == 1:
                authenticated = True
                await self._send({"success": True})

    def end(self) -> None:
        """Stop what is under way."""
        for task in self._tasks:
            task.cancel()

    async def _take(self, frame: dict[str, Any]) -> None:
        kind = frame.get("type")
        if kind == "keepAlive":
            await self._send({"type": "keepAliveAck"})
        elif kind in _BEGINNINGS and isinstance(frame.get("endpoint"), str):
            await self._begin(Story(self._namespace, 0, frame))
        elif kind == "channelSend":
            channel = self._channels.get(frame.get("channelId"))
            if channel is not None:
                channel.said.put_nowait(frame)

    async def _begin(self, asked: Story) -> None:
        story = self._server.take(asked)
        asked_id = asked.request.get(asked.id_key)
        if story is None:
            await self._send(_refusal(asked, self._server.mismatches[-1]))
            return
        channel = _Channel(story)
        if asked.request["type"] == "channelCreate":
            self._channels[asked_id] = channel
        task = asyncio.get_running_loop().create_task(self._replay(channel, asked.id_key, asked_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replay(self, channel: _Channel, id_key: str, asked_id: Any) -> None:
        try:
            for step in channel.story.steps:
                if step.direction == "to_client":
                    frame = dict(step.frame)
                    if id_key in frame:
                        frame[id_key] = asked_id
                    await self._send(frame)
                else:
                    self._compare(channel, step, await channel.said.get())
        except ConnectionClosed:
            return
        finally:
            if self._channels.get(asked_id) is channel:
                del self._channels[asked_id]

    def _compare(self, channel: _Channel, step: Step, said: Mapping[str, Any]) -> None:
        unlike = [
            str(difference) for difference in differences(step.frame.get("message"), said.get("message"))
        ]
        if unlike:
            self._server.note(
                "\n".join([f"a packet sent to {channel.story.endpoint} is not the recorded one:", *unlike])
            )

    async def _send(self, frame: Mapping[str, Any]) -> None:
        await self._client.send(json.dumps(frame))


def _refusal(asked: Story, why: str) -> dict[str, Any]:
    title, _, cause = why.partition("\n")
    error = {
        "title": title,
        "rootTitle": title,
        "cause": cause,
        "suggestion": "Record it anew.",
    }
    kind = "rpcError" if asked.id_key == "callId" else "channelError"
    return {"type": kind, asked.id_key: asked.request.get(asked.id_key), "error": error}
