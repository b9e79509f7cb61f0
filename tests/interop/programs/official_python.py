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
from collections.abc import Callable
from typing import Any

# The official SDK, which type checkers of the checkout do not see: there this name is lmwire's own.
lms: Any = importlib.import_module("lmstudio")

MODEL = "emulator/ngram-small"
PROMPT = "My name is"


def tell(step: str, saw: Any) -> None:
    """Print what a step saw."""
    print(json.dumps({"step": step, "saw": saw}), flush=True)


def failure(error: BaseException) -> dict[str, str]:
    """What a user sees of an exception: its class and its text."""
    return {"error": type(error).__name__, "text": str(error)}


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


def sync(api_host: str) -> None:
    """The synchronous client: what the list of calls (``tests.interop.calls``) does not have."""
    tell("valid host", lms.Client.is_valid_api_host(api_host))
    with lms.Client(api_host) as client:
        model = client.llm.model()
        with model.complete_stream(PROMPT) as stream:
            text = "".join(fragment.content for fragment in stream)
        tell("stream in a context", {"text": text, "stop_reason": stream.stats.stop_reason})
        result = model.complete(PROMPT)
        tell("result", {"text": str(result), "result": told(result)})
        tell("loaded", [model.identifier for model in client.list_loaded_models("llm")])
        tell("downloaded", [model.model_key for model in client.list_downloaded_models()])

    client = lms.Client(api_host)
    tell("without a context", client.llm.model(MODEL).complete(PROMPT).content)
    client.close()

    lms.configure_default_client(api_host)
    tell("module functions", [lms.llm().identifier, lms.llm(MODEL).complete(PROMPT).content])
    tell("module list", [model.identifier for model in lms.list_loaded_models("llm")])
    lms.get_default_client().close()


async def asynchronous(api_host: str) -> None:
    """The asynchronous client; see ``sync``."""
    async with lms.AsyncClient(api_host) as client:
        model = await client.llm.model()
        async with await model.complete_stream(PROMPT) as stream:
            text = "".join([fragment.content async for fragment in stream])
        tell("stream in a context", {"text": text, "stop_reason": stream.stats.stop_reason})
        results = await asyncio.gather(*(model.complete(PROMPT) for _ in range(8)))
        tell("at the same time", [result.content for result in results])
        tell("loaded", [model.identifier for model in await client.list_loaded_models("llm")])
        tell("downloaded", [model.model_key for model in await client.list_downloaded_models()])


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


def declares() -> None:
    """The options that this SDK declares, as they are called on the wire's side."""
    tell("prediction", lms.LlmPredictionConfig.__struct_encode_fields__)
    tell("load", lms.LlmLoadModelConfig.__struct_encode_fields__)


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
            "declares": declares,
        }
        groups[group](*arguments)
    tell("warnings", warnings.texts)


if __name__ == "__main__":
    main()
