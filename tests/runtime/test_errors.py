"""What users read when something fails: one table over every exception, and what never stands in one."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest

from lmwire_runtime import errors
from lmwire_runtime.client_core import ClientCore
from lmwire_runtime.credentials import Credentials
from lmwire_runtime.errors import (
    AuthenticationError,
    CancelledError,
    ChannelError,
    ClosedError,
    ConnectError,
    ConnectionLostError,
    IncompleteError,
    LMWireError,
    NoModelLoadedError,
    ProtocolError,
    ProtocolMismatchError,
    RefusedRequestError,
    RemoteError,
    RequestTimeoutError,
    RpcError,
    ServerNotFoundError,
    SignalError,
    SlowConsumerError,
    StateError,
    UnsupportedEndpointError,
    UsageError,
)
from lmwire_runtime.limits import DEFAULT_LIMITS
from lmwire_runtime.server_session import AuthenticationAttempt
from lmwire_runtime.session import ClientSession
from lmwire_runtime.wire import DecodeError, MissingFieldError, WarningSink

MISMATCH = DecodeError("/stats/stopReason", "a string", "an integer (7)")

TABLE: list[tuple[Exception, str, tuple[type, ...]]] = [
    (LMWireError("it failed"), "it failed", (Exception,)),
    (UsageError("the prompt must be text"), "the prompt must be text", (LMWireError, ValueError)),
    (StateError("not started"), "not started", (UsageError, ValueError)),
    (ClosedError("this client was closed"), "this client was closed", (StateError, UsageError, ValueError)),
    (ProtocolError("no such frame"), "no such frame", (LMWireError,)),
    (
        ProtocolMismatchError(MISMATCH, revision="2026-08-21", raw={"stats": {"stopReason": 7}}).at(
            "llm", "predict", 3
        ),
        (
            "the server's reply does not fit protocol revision 2026-08-21: at /stats/stopReason: expected"
            " a string, found an integer (7) [llm.predict #3]"
        ),
        (ProtocolError,),
    ),
    (
        UnsupportedEndpointError("the server has no such endpoint: ...", kind="rpcEndpointUnknown").at(
            "llm", "tokenize"
        ),
        "the server has no such endpoint: ... [llm.tokenize]",
        (LMWireError,),
    ),
    (
        RefusedRequestError("the server refused the request: ...").at("llm", "tokenize", 1),
        "the server refused the request: ... [llm.tokenize #1]",
        (LMWireError,),
    ),
    (RemoteError({"title": "Out of memory"}), "Out of memory", (LMWireError,)),
    (
        RpcError({"title": "No model", "rootTitle": "No model", "suggestion": "Load one."}).at(
            "llm", "getModelInfo", 2
        ),
        "No model [llm.getModelInfo #2]\nSuggestion: Load one.",
        (RemoteError,),
    ),
    (
        ChannelError(
            {
                "title": "Preset not found",
                "rootTitle": "ENOENT",
                "cause": "It was deleted.",
                "suggestion": "Choose another.",
                "displayData": {"code": "generic.presetNotFound", "totalAvailablePresets": 2},
                "errorData": {"internal": 1},
                "stack": "Error: ...",
            }
        ).at("llm", "predict", 1),
        (
            "Preset not found [llm.predict #1]\nRoot cause: ENOENT\nCause: It was deleted.\nSuggestion: Choose another."
            "\ntotalAvailablePresets: 2"
        ),
        (RemoteError,),
    ),
    (
        SignalError({"title": "The counter broke"}).at("lab", "counter", 5),
        "The counter broke [lab.counter #5]",
        (RemoteError,),
    ),
    (NoModelLoadedError("no model is loaded"), "no model is loaded", (LMWireError,)),
    (
        IncompleteError("closed without a result").at("llm", "predict"),
        "closed without a result [llm.predict]",
        (LMWireError,),
    ),
    (
        AuthenticationError("the server refused the credentials: no"),
        "the server refused the credentials: no",
        (LMWireError,),
    ),
    (
        ConnectError("127.0.0.1:1234 cannot be reached: refused", address="127.0.0.1:1234"),
        "127.0.0.1:1234 cannot be reached: refused",
        (LMWireError,),
    ),
    (
        ServerNotFoundError(
            [("127.0.0.1:41343", "refused"), ("127.0.0.1:52993", "no answer")], hint="Start it."
        ),
        "no LM Studio server was found. Tried:\n  127.0.0.1:41343: refused\n  127.0.0.1:52993: no answer\nStart it.",
        (ConnectError,),
    ),
    (
        ConnectionLostError("the connection was lost: reset").at("llm", "predict", 1),
        "the connection was lost: reset [llm.predict #1]",
        (LMWireError, ConnectionError, OSError),
    ),
    (
        RequestTimeoutError("no answer arrived within 60 s", seconds=60.0).at("llm", "tokenize", 9),
        "no answer arrived within 60 s [llm.tokenize #9]",
        (LMWireError, TimeoutError),
    ),
    (CancelledError("the call was interrupted"), "the call was interrupted", (LMWireError,)),
    (
        SlowConsumerError(buffered_bytes=17, stall_seconds=30.0).at("llm", "predict", 4),
        (
            "17 bytes lay unread for 30 s, so the stream was cancelled; read it faster, or raise the client's limits"
            " [llm.predict #4]"
        ),
        (LMWireError,),
    ),
    (MISMATCH, "at /stats/stopReason: expected a string, found an integer (7)", (ValueError,)),
    (DecodeError("", "an object", "null"), "at (root): expected an object, found null", (ValueError,)),
    (
        MissingFieldError("Fragment", "tokens_count", "tokensCount", "2026-08-21"),
        (
            "Fragment.tokens_count was not sent by the server (wire name 'tokensCount', required since"
            " protocol revision 2026-08-21 or earlier); the server may be older or newer than these bindings"
        ),
        (AttributeError,),
    ),
]


def name_of(row: Any) -> str:
    return type(row).__name__ if isinstance(row, Exception) else ""


@pytest.mark.parametrize(("error", "text", "parents"), TABLE, ids=name_of)
def test_what_an_error_says_and_is(error: Exception, text: str, parents: tuple[type, ...]) -> None:
    assert str(error) == text
    for parent in parents:
        assert isinstance(error, parent)


def test_the_table_has_every_exception() -> None:
    shown = {type(error).__name__ for error, _, _ in TABLE}
    assert set(errors.__all__) <= shown
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == set(errors.__all__)


@pytest.mark.parametrize(("error", "text", "parents"), TABLE, ids=name_of)
@pytest.mark.parametrize("clone", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_survive_copying_and_other_processes(
    error: Exception, text: str, parents: tuple[type, ...], clone: Any
) -> None:
    other = clone(error)
    assert type(other) is type(error)
    assert str(other) == text
    assert vars(other) == vars(error)


def test_a_copy_keeps_the_cause_and_has_a_traceback_of_its_own() -> None:
    cause = OSError("reset")
    with pytest.raises(ConnectionLostError) as caught:
        raise ConnectionLostError("lost") from cause
    other = caught.value.copied()
    assert other.__cause__ is cause
    assert other.__traceback__ is None


class TestRemoteErrors:
    def test_every_fact_is_an_attribute(self) -> None:
        raw = {
            "title": "t",
            "rootTitle": "r",
            "cause": "c",
            "suggestion": "s",
            "displayData": {"code": "generic.pathNotFound", "path": "x"},
            "errorData": {"k": 1},
            "stack": "at ...",
        }
        error = RpcError(raw)
        assert (error.title, error.root_title, error.cause, error.suggestion) == ("t", "r", "c", "s")
        assert (error.code, error.error_data, error.stack, error.raw) == (
            "generic.pathNotFound",
            {"k": 1},
            "at ...",
            raw,
        )

    @pytest.mark.parametrize("raw", [None, {}, [], 7, {"title": 7}, {"title": None}, {"title": ""}, ""])
    def test_an_error_without_a_title_is_unknown_and_says_so(self, raw: Any) -> None:
        assert str(RpcError(raw)) == "Unknown error"
        assert RpcError(raw).code is None

    def test_bare_text_is_the_title(self) -> None:
        assert str(ChannelError("it broke")) == "it broke"

    def test_ill_typed_facts_are_left_out_one_by_one(self) -> None:
        error = RpcError(
            {"title": "t", "cause": 5, "suggestion": None, "displayData": "x", "errorData": [1], "stack": {}}
        )
        assert str(error) == "t"
        assert (error.cause, error.display_data, error.error_data, error.stack) == (None, None, None, None)

    def test_a_display_code_that_is_no_text_is_none(self) -> None:
        assert RpcError({"displayData": {"code": 7}}).code is None


class TestRedaction:
    SECRET = "abcdefghij0123456789"
    TOKEN = f"sk-lm-AAAAAAAA:{SECRET}"

    def test_credentials_hide_the_passkey(self) -> None:
        assert self.SECRET not in repr(Credentials.from_token(self.TOKEN))
        assert self.SECRET not in str(Credentials.from_token(self.TOKEN))

    def test_a_clients_settings_hide_it(self) -> None:
        core = ClientCore(revision="r", api_host="127.0.0.1:1", api_token=self.TOKEN)
        assert self.SECRET not in repr(core.settings)

    def test_the_servers_event_hides_it(self) -> None:
        assert self.SECRET not in repr(AuthenticationAttempt("AAAAAAAA", self.SECRET))
        assert self.SECRET in attrs.astuple(AuthenticationAttempt("AAAAAAAA", self.SECRET))

    def test_a_malformed_token_is_not_quoted(self) -> None:
        with pytest.raises(UsageError) as caught:
            ClientCore(revision="r", api_host="127.0.0.1:1", api_token=self.TOKEN + "x")
        assert self.SECRET not in str(caught.value)

    def test_a_refused_authentication_does_not_name_it(self) -> None:
        session = ClientSession("llm", limits=DEFAULT_LIMITS, sink=WarningSink())
        session.authenticate("AAAAAAAA", self.SECRET)
        session.receive(
            [{"success": False, "error": f"Invalid passkey {self.SECRET} for client AAAAAAAA"}], [60]
        )
        assert str(session.lost).startswith(
            "the server refused the credentials: Invalid passkey <redacted> for client AAAAAAAA (see the client's"
        )
