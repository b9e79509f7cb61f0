"""The server of a test: the emulator, told what to do from the test while it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import attrs

from lmwire import UNSET
from lmwire_emulator import EmulatorThread, Script, load_script, parse_script
from lmwire_emulator.scripts import EndpointRule, LoadRule, Reply, Rule, ScriptedFragment, ScriptRule
from lmwire_tools.pytest_plugin.environment import variables
from lmwire_tools.pytest_plugin.requests import Requests

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LMStudioServer"]

_GREETING: Final = tuple(ScriptedFragment(text=text) for text in ("Hello", " from", " the", " emulator", "."))


class _LiveRules(Sequence[Rule]):
    """The rules of a test, which may grow; and what is said as long as there are none for prompts."""

    # A rule for no endpoint: it has the emulator ask the script at all.
    _NONE: Final = EndpointRule(endpoint="")
    _DEFAULT: Final = ScriptRule(reply=Reply(fragments=_GREETING))

    def __init__(self) -> None:
        self.added: list[Rule] = []

    def _all(self) -> list[Rule]:
        added = list(self.added)
        is_told = any(isinstance(rule, ScriptRule) for rule in added)
        # Rules keep their places, by which it is counted how often each was used.
        return [self._NONE, self._NONE if is_told else self._DEFAULT, *added]

    def __getitem__(self, index: Any) -> Any:
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._all())


class LMStudioServer:
    """An emulated LM Studio on a free port of loopback. A context manager.

    Rules are tried in the order in which they are added; the first one that fits and is not used up counts. As long as
    there is none for prompts, every prompt is answered with a short greeting.

    Args:
        options: Those of ``lmwire_emulator.Emulator``: ``generation``, ``loaded``, ``api_tokens``, ``catalogue``,
            ``presets`` and ``script``, which may be a file or plain data too.
    """

    def __init__(self, *, script: str | Path | Mapping[str, Any] | None = None, **options: Any) -> None:
        self._rules = _LiveRules()
        self.requests = Requests()
        """What the client has sent."""
        self._emulator = EmulatorThread(script=Script(self._rules), on_frame=self.requests, **options)
        if script is not None:
            self.script(script)

    # Where it is.

    @property
    def host(self) -> str:
        """``HOST:PORT``, what Python SDKs take as ``api_host``."""
        return self._emulator.api_host

    @property
    def url(self) -> str:
        """``ws://HOST:PORT``, what the JavaScript SDK takes as ``baseUrl``."""
        return f"ws://{self.host}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables that name it; this process and those that it starts have them already."""
        return variables(self.host)

    @property
    def model(self) -> str:
        """The key of the model that is loaded unless ``loaded`` says otherwise."""
        return self._emulator.default_model_key

    # What it does.

    def reply(
        self,
        *fragments: str | Mapping[str, Any],
        to: str | re.Pattern[str] | None = None,
        model: str | None = None,
        times: int | None = None,
        delay: float = 0.0,
        end: Any = "eosFound",
        **more: Any,
    ) -> None:
        """Reply to prompts.

        Args:
            fragments: The text, in the pieces in which it is streamed; a mapping has more than text, as in scripts.
            to: The exact prompt, or a pattern that is searched in it; by default any prompt.
            model: Only if this model key is asked.
            times: How often, by default always.
            delay: Seconds to wait before each fragment.
            end: A stop reason, or a fault: ``close``, ``hang``, ``drop``, ``unload``, or ``{"error": ...}``.
            more: ``progress``, ``progress_delay``, ``prompt_tokens``, ``ignore_cancel``, ``statistics``, see
                docs/scripts.md.

        Raises:
            ScriptError: Some of it makes no sense; the text says what.
        """
        pieces: list[dict[str, Any]]
        pieces = [{"text": piece} if isinstance(piece, str) else dict(piece) for piece in fragments]
        for piece in pieces:
            piece.setdefault("delay", delay)
        rule = {"reply": {"fragments": pieces, "end": end, **more}}
        self._add(rule, match=to, model=model, times=times)

    def fail(
        self,
        error: Any,
        *,
        to: str | re.Pattern[str] | None = None,
        times: int | None = None,
        after: Sequence[str] = (),
    ) -> None:
        """Fail predictions.

        Args:
            error: A text, or a mapping with ``title`` and perhaps ``cause``, ``suggestion``, ``display_data``, ...
            to: Which prompts, as in ``reply``.
            times: How often, by default always.
            after: What is streamed before it fails.

        Raises:
            ScriptError: Some of it makes no sense; the text says what.
        """
        told = {"title": error} if isinstance(error, str) else error
        self.reply(*after, to=to, times=times, end={"error": told})

    def load(
        self,
        key: str | re.Pattern[str] | None = None,
        *,
        progress: Sequence[float] | None = None,
        delay: float = 0.0,
        end: Any = None,
        times: int | None = None,
    ) -> None:
        """Say how models load.

        Args:
            key: The exact model key, or a pattern that is searched in it; by default any model.
            progress: The steps that are reported, each 0..1.
            delay: Seconds to wait before each of them.
            end: None if the model is loaded in the end, or a fault: ``close``, ``hang``, ``drop``, ``{"error": ...}``.
            times: How often, by default always.

        Raises:
            ScriptError: Some of it makes no sense; the text says what.
        """
        reply: dict[str, Any] = {"progress_delay": delay}
        if progress is not None:
            reply["progress"] = list(progress)
        if end is not None:
            reply["end"] = end
        self._add({"load": {"any": True}, "reply": reply}, load=key, times=times)

    def answer(
        self,
        endpoint: str,
        result: Any = UNSET,
        *,
        packets: Sequence[Any] | None = None,
        delay: float = 0.0,
        end: Any = None,
        times: int | None = None,
    ) -> None:
        """Answer requests of any endpoint, whatever the emulator would say.

        Args:
            endpoint: ``namespace.name``, as the wire has them: ``llm.countTokens``.
            result: Of a call: plain JSON, sent as it is; left out for a call without result.
            packets: Of a channel: plain JSON, sent as they are.
            delay: Seconds to wait first.
            end: A fault: ``hang``, ``drop``, ``{"error": ...}``; ``unknown``, ``unhandled`` or ``bad_parameter``, the
                warnings that servers send to bad requests; of a channel also ``close``.
            times: How often, by default always.

        Raises:
            ScriptError: Some of it makes no sense; the text says what.
        """
        reply: dict[str, Any] = {"delay": delay}
        if result is not UNSET:
            reply["result"] = result
        if packets is not None:
            reply["packets"] = list(packets)
        if end is not None:
            reply["end"] = end
        self._add({"endpoint": endpoint, "reply": reply}, times=times)

    def script(self, script: str | Path | Mapping[str, Any]) -> None:
        """Add the rules of a script, a file or plain data; see docs/scripts.md.

        Raises:
            ScriptError: It is no script.
        """
        read = parse_script(script) if isinstance(script, Mapping) else load_script(script)
        self._rules.added.extend(read.rules)

    def _add(self, data: dict[str, Any], **given: Any) -> None:
        """Add a rule of a script; ``match`` and ``load`` may be compiled patterns, which files cannot have."""
        patterns = {name: given.pop(name) for name in ("match", "load") if name in given}
        told = {name: value for name, value in given.items() if value is not None}
        (rule,) = parse_script({"rules": [{**data, **told}]}, source="rule").rules
        if isinstance(rule, ScriptRule):
            rule = attrs.evolve(rule, prompt=patterns.get("match"))
        elif isinstance(rule, LoadRule):
            rule = attrs.evolve(rule, load=patterns.get("load"))
        self._rules.added.append(rule)

    def __enter__(self) -> Self:
        self._emulator.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._emulator.close()
