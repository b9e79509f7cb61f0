"""What users of either shell see of calls and channels; each test runs over threads and over asyncio."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import pytest

from lmwire_runtime.descriptors import VOID
from lmwire_runtime.errors import (
    CancelledError,
    ChannelError,
    ConnectionLostError,
    IncompleteError,
    LMWireError,
    ProtocolMismatchError,
    RefusedRequestError,
    RequestTimeoutError,
    RpcError,
    UnsupportedEndpointError,
    UsageError,
)
from lmwire_runtime.limits import Limits, Timeouts
from tests.runtime.arithmetic import (
    ANYTHING,
    COUNT,
    CRASH,
    DOUBLE,
    ECHO,
    FAIL,
    HANG,
    LIE,
    PING,
    SILENT,
    SIZE,
    UNHANDLED,
    UNSPEAKABLE,
    WAIT,
    ArithmeticHandlers,
    RunningServer,
    channel,
    rpc,
    serve_arithmetic,
)
from tests.runtime.scripted_peers import ScriptedConnection, ScriptedPeers
from tests.runtime.shells import Shell, Shells, result_of

# The server knows these endpoints otherwise, or not at all.
DOUBLE_OF_ANYTHING = rpc("double", ANYTHING, ANYTHING)
UNKNOWN = rpc("nonesuch", VOID, VOID)
UNKNOWN_CHANNEL = channel("nonesuch", VOID, ANYTHING)
COUNT_OF_ANYTHING = channel("count", ANYTHING, ANYTHING, {"type": "cancel"})


def numbers(stream: Any) -> list[int]:
    return [packet["number"] for packet in stream]


class TestCalls:
    def test_a_call(self, shell: Shell) -> None:
        assert shell.call(DOUBLE, 21) == 42

    def test_a_void_call(self, shell: Shell) -> None:
        assert shell.call(PING) is None

    def test_a_large_call_and_answer(self, shell: Shell) -> None:
        """Larger than any buffer on the way, so that both ends have to write and read in pieces."""
        assert shell.call(SIZE, "ß" * 6_000_000) == 6_000_000
        assert shell.call(rpc("double", ANYTHING, ANYTHING), 2**60) == 2**61

    def test_calls_answer_in_any_order(
        self, shell: Shell, shells: Shells, handlers: ArithmeticHandlers
    ) -> None:
        slow = shells.submit(shell.call, WAIT)
        handlers.until("waiting")
        assert shell.call(DOUBLE, 1) == 2
        assert not slow.done()
        handlers.release()
        assert result_of(slow) == 1

    def test_an_error_carries_all_that_the_server_tells(self, shell: Shell) -> None:
        with pytest.raises(RpcError) as caught:
            shell.call(FAIL)
        error = caught.value
        assert (error.title, error.cause, error.suggestion, error.code) == (
            "it failed",
            "it had to",
            "try again",
            "test.failed",
        )
        assert (error.namespace, error.endpoint) == ("arithmetic", "fail")
        assert f"it failed [arithmetic.fail #{error.request_id}]" in str(error)
        assert shell.call(DOUBLE, 1) == 2

    def test_a_handler_that_crashes(self, shell: Shell, caplog: pytest.LogCaptureFixture) -> None:
        with pytest.raises(RpcError, match="division by zero"):
            shell.call(CRASH)
        assert "ZeroDivisionError" in caplog.text

    def test_a_result_that_the_server_cannot_write(
        self, shell: Shell, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(RpcError, match="cannot be expressed in JSON"):
            shell.call(UNSPEAKABLE)
        assert shell.call(DOUBLE, 1) == 2
        assert "cannot be expressed in JSON" in caplog.text

    def test_an_unhandled_endpoint(self, shell: Shell) -> None:
        for _ in range(10):  # would the server be asked again, its five warnings were used up
            with pytest.raises(UnsupportedEndpointError):
                shell.call(UNHANDLED)

    def test_an_unknown_endpoint(self, shell: Shell) -> None:
        with pytest.raises(UnsupportedEndpointError, match="nonesuch"):
            shell.call(UNKNOWN)

    def test_a_refused_parameter(self, shell: Shell) -> None:
        with pytest.raises(RefusedRequestError, match="expected an integer, found a string"):
            shell.call(DOUBLE_OF_ANYTHING, "21")
        assert shell.call(DOUBLE_OF_ANYTHING, 21) == 42

    def test_servers_without_warning_kinds(self, handlers: ArithmeticHandlers, shells: Shells) -> None:
        server = serve_arithmetic(handlers, warning_kinds=False)
        shell = shells.make(server.host)
        with pytest.raises(UnsupportedEndpointError):
            shell.call(UNKNOWN)
        with pytest.raises(RefusedRequestError):
            shell.call(DOUBLE_OF_ANYTHING, "unknown")
        assert shell.call(DOUBLE, 1) == 2
        shell.close()
        server.close()

    @pytest.mark.parametrize("parameter", [{1, 2}, math.nan, [object()]])
    def test_a_parameter_that_json_cannot_express(self, shell: Shell, parameter: Any) -> None:
        with pytest.raises(UsageError, match="cannot be expressed in JSON") as caught:
            shell.call(SIZE, parameter)
        assert caught.value.request.startswith("arithmetic.size #")
        assert shell.call(DOUBLE, 1) == 2

    def test_a_parameter_over_the_limit(self, server: RunningServer, shells: Shells) -> None:
        shell = shells.make(server.host, limits=Limits(message_bytes=1000))
        with pytest.raises(UsageError, match="the limit for one message is 1000"):
            shell.call(SIZE, "x" * 1000)
        assert shell.call(SIZE, "x") == 1

    def test_an_answer_that_does_not_fit(self, shell: Shell) -> None:
        with pytest.raises(ProtocolMismatchError) as caught:
            shell.call(LIE)
        assert (caught.value.pointer, caught.value.revision, caught.value.raw) == (
            "",
            "test",
            "not an integer",
        )
        assert "expected an integer, found a string ('not an integer') [arithmetic.lie #" in str(caught.value)
        assert shell.call(DOUBLE, 1) == 2

    def test_silence(self, shell: Shell, handlers: ArithmeticHandlers, server: RunningServer) -> None:
        with pytest.raises(RequestTimeoutError, match=r"no answer arrived within 0\.05 s") as caught:
            shell.call(WAIT, timeout=0.05)
        assert (caught.value.seconds, caught.value.endpoint) == (0.05, "wait")
        assert isinstance(caught.value, TimeoutError)
        handlers.until("waiting")
        handlers.release()  # the late answer is nobody's
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_silence_is_limited_for_each_client(self, server: RunningServer, shells: Shells) -> None:
        shell = shells.make(server.host, timeouts=Timeouts(rpc=0.05))
        with pytest.raises(RequestTimeoutError):
            shell.call(HANG)

    def test_other_traffic_is_no_answer(self, shell: Shell, shells: Shells) -> None:
        with shell.open(COUNT, {"upTo": 10**9, "padding": 1000}) as stream:
            reader = shells.submit(lambda: [next(stream) for _ in range(200)])
            with pytest.raises(RequestTimeoutError):
                shell.call(HANG, timeout=0.1)
            result_of(reader)

    def test_no_limit_and_no_time_at_all(
        self, shell: Shell, shells: Shells, handlers: ArithmeticHandlers
    ) -> None:
        waiting = [shells.submit(shell.call, WAIT, timeout=timeout) for timeout in (None, math.inf, 1e9)]
        handlers.until("waiting", 3)
        handlers.release()
        assert [result_of(future) for future in waiting] == [1, 1, 1]
        with pytest.raises(RequestTimeoutError):
            shell.call(HANG, timeout=0)

    @pytest.mark.parametrize("timeout", [-1, math.nan, "1", True])
    def test_a_timeout_that_is_none(self, shell: Shell, server: RunningServer, timeout: Any) -> None:
        with pytest.raises(UsageError, match="timeout must be a number of seconds"):
            shell.call(DOUBLE, 1, timeout=timeout)
        with pytest.raises(UsageError, match="timeout must be a number of seconds"):
            shell.open(COUNT, {"upTo": 1}, timeout=timeout)
        assert server.accepted == 0


class TestChannels:
    def test_iterating_to_the_end(self, shell: Shell) -> None:
        with shell.open(COUNT, {"upTo": 5}) as stream:
            assert numbers(stream) == [0, 1, 2, 3, 4]
            assert stream.ended
            assert numbers(stream) == []

    def test_without_a_context(self, shell: Shell) -> None:
        assert numbers(shell.open(COUNT, {"upTo": 3})) == [0, 1, 2]

    def test_nothing_is_sent_before_the_first_use(self, shell: Shell, server: RunningServer) -> None:
        stream = shell.open(COUNT, {"upTo": 1})
        assert server.accepted == 0
        assert not stream.ended
        stream.close()
        assert server.accepted == 0
        assert numbers(stream) == [0]

    def test_many_packets_arrive_in_order(self, shell: Shell) -> None:
        assert numbers(shell.open(COUNT, {"upTo": 1000, "padding": 1000})) == list(range(1000))

    def test_receiving_one_by_one(self, shell: Shell) -> None:
        with shell.open(COUNT, {"upTo": 2}) as stream:
            assert [stream.receive()["number"] for _ in range(2)] == [0, 1]
            for _ in range(2):
                with pytest.raises(
                    IncompleteError, match=r"the server closed the channel.*\[arithmetic\.count"
                ):
                    stream.receive()

    def test_sending_and_receiving(self, shell: Shell) -> None:
        with shell.open(ECHO) as stream:
            for packet in ({"a": 1}, [2], "three", 4, "ß" * 100_000):
                assert stream.send(packet)
                assert stream.receive() == packet
            assert stream.send("stop")
            assert list(stream) == []
            assert not stream.send("late")

    def test_a_packet_that_json_cannot_express(self, shell: Shell) -> None:
        with shell.open(ECHO) as stream:
            with pytest.raises(UsageError):
                stream.send({1, 2})
            stream.send("fine")
            assert stream.receive() == "fine"

    def test_breaking_out_of_the_loop(
        self, shell: Shell, handlers: ArithmeticHandlers, server: RunningServer
    ) -> None:
        with shell.open(COUNT, {"upTo": 10**9}) as stream:
            for packet in stream:
                if packet["number"] == 3:
                    break
        handlers.until("cancelled")
        assert stream.ended
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_leaving_the_context_by_an_error(self, shell: Shell, handlers: ArithmeticHandlers) -> None:
        def use() -> None:
            with shell.open(COUNT, {"upTo": 10**9}) as stream:
                next(stream)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            use()
        handlers.until("cancelled")

    def test_closing(self, shell: Shell, handlers: ArithmeticHandlers) -> None:
        stream = shell.open(COUNT, {"upTo": 10**9})
        next(stream)
        stream.close()
        stream.close()
        handlers.until("cancelled")
        with pytest.raises(CancelledError, match="closed by its user"):
            next(stream)

    def test_cancelling_goes_on_to_the_servers_end(self, shell: Shell) -> None:
        with shell.open(COUNT, {"upTo": 10**9, "delay": 0.001}) as stream:
            next(stream)
            assert stream.cancel()
            stream.cancel()  # once more changes nothing, whether it has ended by now or not
            rest = list(stream)
        assert "cancelledAt" in rest[-1]
        assert not stream.cancel()

    def test_cancelling_before_the_first_packet(self, shell: Shell, server: RunningServer) -> None:
        with shell.open(COUNT, {"upTo": 1, "delay": 0.01, "waitForCancel": True}) as stream:
            assert stream.cancel()
            assert list(stream)[-1] == {"cancelledAt": 1}
        assert server.accepted == 1

    def test_an_endpoint_that_cannot_be_cancelled(self, shell: Shell) -> None:
        with shell.open(ECHO) as stream:
            assert not stream.cancel()
            stream.send(1)
            assert stream.receive() == 1

    def test_releasing_asks_for_nothing(self, shell: Shell, server: RunningServer) -> None:
        with shell.open(COUNT, {"upTo": 3, "waitForCancel": True}) as stream:
            next(stream)
            stream.release()
        assert stream.ended
        assert list(stream) == []
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_one_hundred_cancels_in_a_row(
        self, shell: Shell, server: RunningServer, handlers: ArithmeticHandlers
    ) -> None:
        for _ in range(100):
            with shell.open(COUNT, {"upTo": 2, "waitForCancel": True}) as stream:
                assert next(stream)["number"] == 0
        handlers.until("cancelled", 100)
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 1

    def test_an_error_in_mid_stream(self, shell: Shell) -> None:
        with shell.open(COUNT, {"upTo": 9, "failAt": 2}) as stream:
            assert [next(stream)["number"] for _ in range(2)] == [0, 1]
            for _ in range(2):
                with pytest.raises(ChannelError, match=r"the count failed \[arithmetic\.count #"):
                    next(stream)
        assert shell.call(DOUBLE, 1) == 2

    def test_a_packet_that_does_not_fit(self, shell: Shell, handlers: ArithmeticHandlers) -> None:
        with shell.open(COUNT, {"upTo": 10**9, "lieAt": 1}) as stream:
            next(stream)
            with pytest.raises(ProtocolMismatchError, match="expected an object") as caught:
                next(stream)
            assert caught.value.raw == "not an object"
            handlers.until("cancelled")
        assert shell.call(DOUBLE, 1) == 2

    def test_a_packet_that_the_server_cannot_write_is_lost_alone(
        self, shell: Shell, caplog: pytest.LogCaptureFixture
    ) -> None:
        with shell.open(COUNT, {"upTo": 3, "speechlessAt": 1}) as stream:
            assert numbers(stream) == [0, 1, 2]
        assert "cannot be expressed in JSON" in caplog.text

    def test_a_refused_creation(self, shell: Shell) -> None:
        with pytest.raises(RefusedRequestError), shell.open(COUNT_OF_ANYTHING, ["no", "object"]) as stream:
            next(stream)

    def test_an_unknown_endpoint(self, shell: Shell) -> None:
        for _ in range(10):
            with pytest.raises(UnsupportedEndpointError), shell.open(UNKNOWN_CHANNEL) as stream:
                next(stream)

    def test_silence(self, shell: Shell, handlers: ArithmeticHandlers) -> None:
        stream = shell.open(SILENT, timeout=0.05)
        for _ in range(2):
            with pytest.raises(RequestTimeoutError, match=r"no packet arrived within 0\.05 s"):
                next(stream)
        handlers.until("cancelled")
        assert stream.ended
        assert shell.call(DOUBLE, 1) == 2

    def test_silence_is_limited_for_each_client(self, server: RunningServer, shells: Shells) -> None:
        shell = shells.make(server.host, timeouts=Timeouts(channel=0.05))
        with pytest.raises(RequestTimeoutError), shell.open(SILENT) as stream:
            next(stream)

    def test_a_limit_counts_from_packet_to_packet(self, shell: Shell) -> None:
        with shell.open(COUNT, {"upTo": 20, "delay": 0.03}, timeout=0.5) as stream:
            assert numbers(stream) == list(range(20))

    def test_a_connection_that_breaks_in_mid_stream(self, shell: Shell, server: RunningServer) -> None:
        with shell.open(COUNT, {"upTo": 9, "dropAt": 2, "delay": 0.001}) as stream:
            arrived: list[Any] = []
            with pytest.raises(ConnectionLostError, match=r"the connection was lost.*\[arithmetic\.count #"):
                arrived.extend(stream)
            assert [packet["number"] for packet in arrived] == [0, 1][: len(arrived)]
            assert stream.ended
            assert not stream.send({"type": "more"})
        assert shell.call(DOUBLE, 1) == 2
        assert server.accepted == 2


class TestLateFrames:
    """Frames after an exchange has ended, from a peer that follows a script."""

    def test_they_are_dropped_quietly(
        self, peers: ScriptedPeers, shells: Shells, caplog: pytest.LogCaptureFixture
    ) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            call = connection.receive()
            connection.send(
                {"type": "rpcResult", "callId": call["callId"], "result": 2},
                {"type": "rpcResult", "callId": call["callId"], "result": 3},
                {"type": "channelSend", "channelId": 77, "message": 1},
                {"type": "channelClose", "channelId": 77},
                {"type": "rpcError", "callId": 99, "error": {}},
            )
            call = connection.receive()
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 4})
            connection.until_gone()

        shell = shells.make(peers.serve(script).host)
        assert [shell.call(DOUBLE, 1), shell.call(DOUBLE, 2)] == [2, 4]
        shell.close()
        assert caplog.records == []

    def test_odd_frames_cost_one_line_each_kind(
        self, peers: ScriptedPeers, shells: Shells, caplog: pytest.LogCaptureFixture
    ) -> None:
        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            call = connection.receive()
            for _ in range(3):
                connection.send({"type": "novelty"}, [], None)
                connection.send_text(b"{oops")
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 2})
            connection.until_gone()

        shell = shells.make(peers.serve(script).host)
        assert shell.call(DOUBLE, 1) == 2
        shell.close()
        assert [record.levelno for record in caplog.records] == [logging.WARNING] * 4
        assert all(record.name == "lmwire" for record in caplog.records)

    def test_an_old_packet_in_a_new_revision_can_be_strict(
        self, server: RunningServer, shells: Shells
    ) -> None:
        shell = shells.make(server.host, strict=True)
        with pytest.raises(LMWireError):
            shell.call(LIE)
        assert shell.core.settings.decoding.strict


class TestTaps:
    """``on_frame`` sees every frame of both directions, secrets redacted."""

    def test_frames_in_order(self, server: RunningServer, shells: Shells) -> None:
        frames: list[tuple[str, str, Any]] = []
        shell = shells.make(
            server.host,
            api_token="sk-lm-abcdefgh:0123456789abcdefghij",
            on_frame=lambda direction, namespace, text: frames.append(
                (direction, namespace, json.loads(text))
            ),
        )
        shell.call(DOUBLE, 3)
        assert frames == [
            (
                "sent",
                "arithmetic",
                {"authVersion": 1, "clientIdentifier": "abcdefgh", "clientPasskey": "<redacted>"},
            ),
            ("received", "arithmetic", {"success": True}),
            ("sent", "arithmetic", {"type": "rpcCall", "endpoint": "double", "callId": 1, "parameter": 3}),
            ("received", "arithmetic", {"type": "rpcResult", "callId": 1, "result": 6}),
        ]

    def test_what_is_no_json_is_seen_too(self, peers: ScriptedPeers, shells: Shells) -> None:
        seen: list[bytes] = []

        def script(connection: ScriptedConnection) -> None:
            connection.authenticate()
            call = connection.receive()
            connection.send_text(b"{oops")
            connection.send({"type": "rpcResult", "callId": call["callId"], "result": 2})
            connection.until_gone()

        shell = shells.make(
            peers.serve(script).host, on_frame=lambda direction, namespace, text: seen.append(text)
        )
        assert shell.call(DOUBLE, 1) == 2
        shell.close()
        assert b"{oops" in seen

    def test_a_tap_that_fails_harms_nobody(
        self, server: RunningServer, shells: Shells, caplog: pytest.LogCaptureFixture
    ) -> None:
        def tap(direction: str, namespace: str, text: bytes) -> None:
            raise ZeroDivisionError

        shell = shells.make(server.host, on_frame=tap)
        assert [shell.call(DOUBLE, number) for number in range(3)] == [0, 2, 4]
        assert caplog.text.count("the frame tap failed") == 1

    def test_a_tap_has_to_be_a_function(self, shells: Shells) -> None:
        with pytest.raises(UsageError, match="on_frame"):
            shells.make("127.0.0.1:1", on_frame="print")
