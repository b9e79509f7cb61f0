"""Run by the official Python SDK's own interpreter: ``official_python.py GROUP [API_HOST [ARGUMENT]]``.

Each group is a series of calls as users make them. What a user sees of each is one line of JSON on stdout,
``{"step": ..., "saw": ...}``; the last one has what the SDK logged as warnings. An exception that no step expects ends
the program with its traceback.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

# The official SDK, which type checkers of the checkout do not see: there this name is lmwire's own.
lms: Any = importlib.import_module("lmstudio")

MODEL = "emulator/ngram-small"
OTHER = "emulator/ngram-vision"
PROMPT = "My name is"


def tell(step: str, saw: Any) -> None:
    """Print what a step saw."""
    print(json.dumps({"step": step, "saw": saw}), flush=True)


def failure(error: BaseException) -> dict[str, str]:
    """What a user sees of an exception: its class and its text."""
    return {"error": type(error).__name__, "text": str(error)}


def attempt(call: Callable[[], Any]) -> dict[str, str]:
    """What a call fails with."""
    try:
        result = call()
    except lms.LMStudioError as error:
        return failure(error)
    raise AssertionError(f"no exception, but {result!r}")


async def attempt_async(call: Awaitable[Any]) -> dict[str, str]:
    """What an awaited call fails with."""
    try:
        result = await call
    except lms.LMStudioError as error:
        return failure(error)
    raise AssertionError(f"no exception, but {result!r}")


def told(result: Any) -> dict[str, Any]:
    """What a user reads off a prediction's result."""
    stats = result.stats
    return {
        "content": result.content,
        "text": str(result),
        "parsed": result.parsed,
        "structured": result.structured,
        "stop_reason": stats.stop_reason,
        "prompt_tokens": stats.prompt_tokens_count,
        "predicted_tokens": stats.predicted_tokens_count,
        "total_tokens": stats.total_tokens_count,
        "tokens_per_second": stats.tokens_per_second,
        "time_to_first_token": stats.time_to_first_token_sec,
        "model": result.model_info.model_key,
        "temperature": result.prediction_config.temperature,
        "max_tokens": result.prediction_config.max_tokens,
        "context_length": result.load_config.context_length,
    }


class Callbacks:
    """Notes what is called back, in order."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def options(self) -> dict[str, Callable[..., None]]:
        """The callback arguments of a completion."""
        return {
            "on_prompt_processing_progress": lambda progress: self.seen.append(["progress", progress]),
            "on_first_token": lambda: self.seen.append(["first token"]),
            "on_prediction_fragment": lambda fragment: self.seen.append(["fragment", fragment.content]),
            "on_message": lambda message: self.seen.append(["message", message.content[0].text]),
        }


def fragment_told(fragment: Any) -> list[Any]:
    """What a user reads off a fragment."""
    return [
        fragment.content,
        fragment.tokens_count,
        fragment.contains_drafted,
        fragment.reasoning_type,
    ]


# The settings that the 1.5.0 SDK can express for a completion, one of each kind of encoding.
CONFIG = {
    "temperature": 0.5,
    "maxTokens": 30,
    "stopStrings": ["zzz"],
    "topKSampling": 10,
    "topPSampling": 0.9,
    "minPSampling": 0.1,
    "repeatPenalty": 1.2,
    "contextOverflowPolicy": "rollingWindow",
    "cpuThreads": 2,
}
LOAD_CONFIG = {
    "contextLength": 512,
    "gpu": {"ratio": 0.5},
    "flashAttention": True,
    "seed": 7,
    "keepModelInMemory": False,
}
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


def completions(model: Any) -> None:
    """All that a handle offers for text completion."""
    tell("complete", told(model.complete(PROMPT)))

    callbacks = Callbacks()
    result = model.complete(PROMPT, config=CONFIG, **callbacks.options())
    tell("complete with options", {"result": told(result), "callbacks": callbacks.seen})

    stream = model.complete_stream(PROMPT)
    fragments = [fragment_told(fragment) for fragment in stream]
    tell("stream", {"fragments": fragments, "result": told(stream.result())})

    with model.complete_stream(PROMPT) as stream:
        text = "".join(fragment.content for fragment in stream)
    tell("stream in a context", {"text": text, "stop_reason": stream.stats.stop_reason})

    stream = model.complete_stream("Count for ever:")
    fragments = []
    for fragment in stream:
        fragments.append(fragment.content)
        if len(fragments) == 2:
            stream.cancel()
    tell("cancel", {"fragments": fragments, "result": told(stream.result())})

    for fragment in model.complete_stream("Count for ever:"):
        tell("break", fragment.content)
        break

    tell("structured", told(model.complete("A point:", response_format=SCHEMA)))
    tell("preset", told(model.complete(PROMPT, preset="concise")))
    tell("unknown preset", attempt(lambda: model.complete(PROMPT, preset="nonesuch")))
    tell("failure in mid-stream", attempt(lambda: model.complete("Fail half way:")))
    tell("tokenize", model.tokenize(PROMPT))
    tell("tokenize several", model.tokenize([PROMPT, "", "Zürich 🙂"]))
    tell("count tokens", model.count_tokens(PROMPT))
    tell("complete after failures", model.complete(PROMPT).content)


def models(client: Any) -> None:
    """Finding, loading and unloading models."""
    tell("loaded at first", [model.identifier for model in client.llm.list_loaded()])
    progress: list[float] = []
    model = client.llm.model(OTHER, ttl=60, config=LOAD_CONFIG, on_load_progress=progress.append)
    tell("load", {"identifier": model.identifier, "progress": progress})
    config = model.get_load_config()
    info = model.get_info()
    tell(
        "loaded model",
        {
            "context_length": model.get_context_length(),
            "config": [config.context_length, config.gpu.ratio, config.flash_attention, config.seed],
            "info": [info.identifier, info.model_key, info.context_length, info.vision],
        },
    )
    progress = []
    model = client.llm.model(OTHER, on_load_progress=progress.append)
    tell("load again", {"identifier": model.identifier, "progress": progress})
    progress = []
    second = client.llm.load_new_instance(MODEL, "second", ttl=None, on_load_progress=progress.append)
    tell("load new instance", {"identifier": second.identifier, "progress": progress})
    tell("loaded now", sorted(model.identifier for model in client.list_loaded_models("llm")))
    tell("unknown key", attempt(lambda: client.llm.model("nobody/nothing")))
    tell("load failure", attempt(lambda: client.llm.model("emulator/fails-to-load")))
    second.unload()
    tell("unloaded model", attempt(lambda: second.complete(PROMPT)))
    tell("unloaded model counts", attempt(lambda: second.count_tokens(PROMPT)))
    tell("downloaded", [model.model_key for model in client.list_downloaded_models()])


def sync(api_host: str) -> None:
    """The synchronous client, in a ``with`` statement and without, and the module's own functions."""
    tell("valid host", lms.Client.is_valid_api_host(api_host))
    with lms.Client(api_host) as client:
        model = client.llm.model()
        tell("any model", model.identifier)
        completions(model)
        models(client)

    client = lms.Client(api_host)
    tell("without a context", client.llm.model(MODEL).complete(PROMPT).content)
    client.close()

    lms.configure_default_client(api_host)
    tell("module functions", [lms.llm().identifier, lms.llm(MODEL).complete(PROMPT).content])
    tell("module list", sorted(model.identifier for model in lms.list_loaded_models("llm")))
    lms.get_default_client().close()


async def async_completions(model: Any) -> None:
    """The twin of ``completions``."""
    tell("complete", told(await model.complete(PROMPT)))

    callbacks = Callbacks()
    result = await model.complete(PROMPT, config=CONFIG, **callbacks.options())
    tell("complete with options", {"result": told(result), "callbacks": callbacks.seen})

    stream = await model.complete_stream(PROMPT)
    fragments = [fragment_told(fragment) async for fragment in stream]
    tell("stream", {"fragments": fragments, "result": told(stream.result())})

    async with await model.complete_stream(PROMPT) as stream:
        text = "".join([fragment.content async for fragment in stream])
    tell("stream in a context", {"text": text, "stop_reason": stream.stats.stop_reason})

    stream = await model.complete_stream("Count for ever:")
    fragments = []
    async for fragment in stream:
        fragments.append(fragment.content)
        if len(fragments) == 2:
            await stream.cancel()
    tell("cancel", {"fragments": fragments, "result": told(stream.result())})

    tell("structured", told(await model.complete("A point:", response_format=SCHEMA)))
    tell("preset", told(await model.complete(PROMPT, preset="concise")))
    tell("unknown preset", await attempt_async(model.complete(PROMPT, preset="nonesuch")))
    tell("failure in mid-stream", await attempt_async(model.complete("Fail half way:")))
    tell("tokenize", await model.tokenize(PROMPT))
    tell("tokenize several", await model.tokenize([PROMPT, "", "Zürich 🙂"]))
    tell("count tokens", await model.count_tokens(PROMPT))

    results = await asyncio.gather(*(model.complete(PROMPT) for _ in range(8)))
    tell("at the same time", [result.content for result in results])
    tell("complete after failures", (await model.complete(PROMPT)).content)


async def async_models(client: Any) -> None:
    """The twin of ``models``."""
    tell("loaded at first", [model.identifier for model in await client.llm.list_loaded()])
    progress: list[float] = []
    model = await client.llm.model(OTHER, ttl=60, config=LOAD_CONFIG, on_load_progress=progress.append)
    tell("load", {"identifier": model.identifier, "progress": progress})
    config = await model.get_load_config()
    info = await model.get_info()
    tell(
        "loaded model",
        {
            "context_length": await model.get_context_length(),
            "config": [config.context_length, config.gpu.ratio, config.flash_attention, config.seed],
            "info": [info.identifier, info.model_key, info.context_length, info.vision],
        },
    )
    progress = []
    model = await client.llm.model(OTHER, on_load_progress=progress.append)
    tell("load again", {"identifier": model.identifier, "progress": progress})
    progress = []
    second = await client.llm.load_new_instance(MODEL, "second", ttl=None, on_load_progress=progress.append)
    tell("load new instance", {"identifier": second.identifier, "progress": progress})
    tell("loaded now", sorted(model.identifier for model in await client.list_loaded_models("llm")))
    tell("unknown key", await attempt_async(client.llm.model("nobody/nothing")))
    tell("load failure", await attempt_async(client.llm.model("emulator/fails-to-load")))
    await second.unload()
    tell("unloaded model", await attempt_async(second.complete(PROMPT)))
    tell("unloaded model counts", await attempt_async(second.count_tokens(PROMPT)))
    tell("downloaded", [model.model_key for model in await client.list_downloaded_models()])


async def asynchronous(api_host: str) -> None:
    """The asynchronous client."""
    async with lms.AsyncClient(api_host) as client:
        model = await client.llm.model()
        tell("any model", model.identifier)
        await async_completions(model)
        await async_models(client)


def story(api_host: str | None = None) -> None:
    """A newcomer's program, on a model that really predicts; without an address the SDK looks for the server."""
    if api_host is not None:
        lms.configure_default_client(api_host)
    model = lms.llm()
    stream = model.complete_stream("My name is", config={"maxTokens": 20, "temperature": 1.0})
    fragments = [fragment.content for fragment in stream]
    tell("story", {"fragments": fragments, "result": told(stream.result())})
    lms.get_default_client().close()


def refused(api_host: str) -> None:
    """A server that wants an API token, which this SDK has no way to give."""
    with lms.Client(api_host) as client:
        try:
            client.llm.model()
        except ValueError as error:  # a slip of this SDK: it expects an object where the reason is
            tell("refused", failure(error))


class Warnings(logging.Handler):
    """Keeps the texts of warnings and worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.texts.append(record.getMessage())


def main() -> None:
    """Run a group."""
    group, *arguments = sys.argv[1:]
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    if group == "async":
        asyncio.run(asynchronous(*arguments))
    else:
        groups: dict[str, Callable[..., None]] = {
            "sync": sync,
            "story": story,
            "refused": refused,
        }
        groups[group](*arguments)
    tell("warnings", warnings.texts)


if __name__ == "__main__":
    main()
