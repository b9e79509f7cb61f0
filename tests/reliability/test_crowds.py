"""64 threads, or tasks, on one client: each gets what is its own, nobody is stuck, nothing is left open.

``LMWIRE_ROUNDS`` is how many rounds there are in all.
"""

from __future__ import annotations

import os
import random

import pytest

from lmwire_runtime.errors import ClosedError, LMWireError, RequestTimeoutError
from tests.runtime.arithmetic import (
    COUNT,
    DOUBLE,
    ECHO,
    HANG,
    SILENT,
    WAIT,
    ArithmeticHandlers,
    RunningServer,
)
from tests.runtime.shells import Shell, Shells, result_of

USERS = 64
ROUNDS = int(os.environ.get("LMWIRE_ROUNDS", "4096"))
# Seconds after which a crowd is stuck, on a machine that is busy.
LONGEST = 60 + ROUNDS / 50


class User:
    """One of many; what it does is decided by its own seed."""

    def __init__(self, number: int, shell: Shell, shells: Shells) -> None:
        self.number = number
        self.shell = shell
        self.shells = shells
        self.chance = random.Random(number)
        self.calls = 0

    def run(self, rounds: int) -> int:
        """Do something at random, so often; returns how often."""
        deeds = [
            self.call,
            self.stream,
            self.converse,
            self.cancel,
            self.leave,
            self.leave_before_the_first,
            self.lose_patience,
        ]
        for _ in range(rounds):
            self.chance.choice(deeds)()
        return rounds

    def call(self) -> None:
        self.calls += 1
        value = self.number * 100_000 + self.calls
        assert self.shell.call(DOUBLE, value) == 2 * value

    def stream(self) -> None:
        count = self.chance.randrange(1, 40)
        packets = self.shells.read(self.shell.open(COUNT, {"upTo": count, "padding": self.number}))
        assert [packet["number"] for packet in packets] == list(range(count))
        assert {len(packet["padding"]) for packet in packets} == {self.number}

    def converse(self) -> None:
        with self.shell.open(ECHO) as stream:
            for turn in range(self.chance.randrange(1, 5)):
                stream.send([self.number, turn])
                assert stream.receive() == [self.number, turn]
            stream.send("stop")
            assert list(stream) == []

    def cancel(self) -> None:
        with self.shell.open(COUNT, {"upTo": 3, "waitForCancel": True}) as stream:
            assert next(stream)["number"] == 0
            stream.cancel()
            assert all(packet.get("number") != 0 for packet in stream)

    def leave(self) -> None:
        with self.shell.open(COUNT, {"upTo": 2, "waitForCancel": True}) as stream:
            assert next(stream)["number"] == 0

    def leave_before_the_first(self) -> None:
        with self.shell.open(SILENT):
            pass

    def lose_patience(self) -> None:
        with pytest.raises(RequestTimeoutError):
            self.shell.call(HANG, None, timeout=0.01)


@pytest.mark.timeout(60 + 2 * LONGEST)
def test_a_crowd_that_does_everything_at_random(shell: Shell, shells: Shells, server: RunningServer) -> None:
    users = [User(number, shell, shells) for number in range(1, USERS + 1)]
    done = [shells.submit(user.run, ROUNDS // USERS) for user in users]
    assert sum(one.result(LONGEST) for one in done) == ROUNDS // USERS * USERS
    assert server.accepted == 1
    assert shell.call(DOUBLE, 1) == 2


def test_a_hundred_cancels_in_a_row(
    shell: Shell, server: RunningServer, handlers: ArithmeticHandlers
) -> None:
    for number in range(100):
        with shell.open(SILENT) as stream:
            if number % 2:
                stream.cancel()
    handlers.until("cancelled", 100)
    assert shell.call(DOUBLE, 21) == 42
    assert server.accepted == 1


def test_everybody_who_waits_is_told_of_a_close(
    shell: Shell, shells: Shells, server: RunningServer, handlers: ArithmeticHandlers
) -> None:
    def wait(number: int) -> LMWireError | None:
        try:
            if number % 2:
                shell.call(WAIT, None, timeout=None)
            else:
                with shell.open(SILENT) as stream:
                    stream.receive()
        except LMWireError as error:
            return error
        return None

    waiting = [shells.submit(wait, number) for number in range(USERS)]
    handlers.until("waiting", USERS // 2)
    handlers.until("silent", USERS // 2)
    shell.close()
    errors = [result_of(one) for one in waiting]
    assert {type(error) for error in errors} == {ClosedError}
    with pytest.raises(ClosedError):
        shell.call(DOUBLE, 1)
