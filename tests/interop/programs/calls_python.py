"""Run by any interpreter that has an SDK of this shape: ``calls_python.py MODULE SHELL API_HOST TABLE``.

MODULE is ``lmstudio``, the official one or ours, or ``lmwire``; SHELL is ``sync`` or ``async``. The calls of the table
(``tests.interop.calls``, ``namespace_calls``) are made one after another, on one client. What a user sees of each is
one line of JSON on stdout; the last one has what the SDK logged as warnings. Ahead of each call its number is sent to
the server as a text to be counted, so that the frames of the calls can be told apart.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

MODEL = "emulator/ngram-small"


def tell(step: str, saw: Any) -> None:
    """Print what a step saw."""
    print(json.dumps({"step": step, "saw": saw}, default=repr), flush=True)


async def settled(value: Any) -> Any:
    """The value, awaited in the asynchronous shell."""
    return await value if inspect.isawaitable(value) else value


async def each(stream: Any, shell: str) -> AsyncIterator[Any]:
    """Iterate a stream of a shell."""
    if shell == "async":
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


def plain(value: Any) -> Any:
    """A setting as the dict that its user would write."""
    for method in ("to_dict", "to_wire"):
        if hasattr(value, method):
            return getattr(value, method)()
    return value


def snake(name: str) -> str:
    """The attribute of an option."""
    return (
        re.sub("([a-z0-9])([A-Z])", r"\1_\2", re.sub("([A-Z])([A-Z][a-z])", r"\1_\2", name))
        .lower()
        .replace("kvcache", "kv_cache")
    )


def read_back(config: Any, options: dict[str, Any]) -> dict[str, Any]:
    """What a config that the server reports says of these options; those that the SDK does not know are left out."""
    return {name: plain(getattr(config, snake(name))) for name in options if hasattr(config, snake(name))}


def failure(error: Exception) -> dict[str, Any]:
    """What a user sees of an exception: what can catch it, and its text."""
    classes = [cls.__name__ for cls in type(error).__mro__]
    return {"error": classes[0], "classes": classes, "text": str(error)}


class Caller:
    """Makes calls on one client; a method for each ``do``, its spaces turned into underscores."""

    def __init__(self, sdk: Any, client: Any, shell: str) -> None:
        self.sdk = sdk
        self.client = client
        self.shell = shell
        self.handle: Any = None
        self.beyond: Any = None

    async def begin(self) -> None:
        """Get the handle that most calls are made on."""
        self.handle = await settled(self.client.llm.model(MODEL))
        # Programs are run where nothing but the SDK can be imported.
        sys.path.insert(0, str(Path(__file__).parent))
        beyond: Any = importlib.import_module("namespaces_python")
        self.beyond = beyond.NamespaceCaller(self.sdk, self.client, self.handle)

    async def mark(self, number: int) -> None:
        """Send the number of the call that comes next."""
        await settled(self.handle.count_tokens(f"call {number}"))

    async def make(self, do: str, given: dict[str, Any]) -> Any:
        """Make a call; returns what its user sees."""
        saw: dict[str, Any] = {}
        # For a call of which it is known that nobody answers it.
        patience = getattr(self.sdk, "set_sync_api_timeout", None) if "timeout" in given else None
        if patience is not None:
            patience(given["timeout"])
        try:
            name = do.replace(" ", "_")
            await (getattr(self, name, None) or getattr(self.beyond, name))(saw, given)
        except Exception as error:  # noqa: BLE001  # whatever it is, the user sees it
            saw.update(failure(error))
        finally:
            if patience is not None:
                patience(60)
        return saw

    async def _model(self, given: dict[str, Any]) -> Any:
        if not given.get("gone"):
            return self.handle
        handle = await settled(self.client.llm.load_new_instance(MODEL, "gone"))
        await settled(handle.unload())
        return handle

    # Models.

    async def any_model(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw["identifier"] = (await settled(self.client.llm.model())).identifier

    async def model(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        await self._load(saw, given, self.client.llm.model, [given["key"]])

    async def new_instance(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        arguments = [given[name] for name in ("key", "identifier") if name in given]
        await self._load(saw, given, self.client.llm.load_new_instance, arguments)

    async def _load(
        self, saw: dict[str, Any], given: dict[str, Any], load: Any, arguments: list[str]
    ) -> None:
        saw["progress"] = []
        options = {name: given[name] for name in ("ttl", "config") if name in given}
        handle = await settled(load(*arguments, on_load_progress=saw["progress"].append, **options))
        saw["identifier"] = handle.identifier
        if given.get("unload"):
            config = await settled(handle.get_load_config())
            saw["config"] = read_back(config, given.get("config", {}))
            await settled(handle.unload())

    async def list_loaded(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw["identifiers"] = [model.identifier for model in await settled(self.client.llm.list_loaded())]

    async def unload(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        await settled(self.client.llm.unload(given["identifier"]))

    # Facts and tokens.

    async def info(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        info = await settled((await self._model(given)).get_info())
        for name in ("identifier", "model_key", "context_length", "max_context_length", "vision", "format"):
            saw[name] = getattr(info, name)

    async def context_length(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw["context_length"] = await settled((await self._model(given)).get_context_length())

    async def load_config(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw["context_length"] = (await settled((await self._model(given)).get_load_config())).context_length

    async def tokenize(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        tokens = await settled((await self._model(given)).tokenize(given["text"]))
        saw["tokens"] = [list(each) for each in tokens] if isinstance(given["text"], list) else list(tokens)

    async def count_tokens(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw["count"] = await settled((await self._model(given)).count_tokens(given["text"]))

    # Embedding.

    async def embedding_model(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        model = await settled(self.client.embedding.model(given["key"], config=given["config"]))
        saw["identifier"] = model.identifier
        saw["config"] = read_back(await settled(model.get_load_config()), given["config"])

    async def embed(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        vectors = await settled((await settled(self.client.embedding.model())).embed(given["text"]))
        saw["vectors"] = (
            [list(vector) for vector in vectors] if isinstance(given["text"], list) else list(vectors)
        )

    async def embedding_tokens(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        tokens = await settled((await settled(self.client.embedding.model())).tokenize(given["text"]))
        saw["tokens"] = [list(each) for each in tokens]

    async def embedding_info(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        info = await settled((await settled(self.client.embedding.model())).get_info())
        saw.update(type=info.type, identifier=info.identifier, context_length=info.context_length)

    async def list_downloaded(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        if hasattr(self.client, "list_downloaded_models"):
            found = await settled(self.client.list_downloaded_models("embedding"))
        else:
            found = await settled(self.client.embedding.list_downloaded())
        saw["keys"] = [model.model_key for model in found]

    # Completions.

    async def complete(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        result = await settled((await self._model(given)).complete(given["prompt"], **self._options(given)))
        self._tell_result(saw, result, given)

    async def respond(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        model = await self._model(given)
        self._tell_result(saw, await settled(model.respond(self._chat(given), **self._options(given))), given)

    async def respond_stream(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        await self._stream(saw, given, (await self._model(given)).respond_stream, self._chat(given))

    async def apply_prompt_template(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        model = await self._model(given)
        saw["text"] = await settled(model.apply_prompt_template(self._chat(given)))

    def _chat(self, given: dict[str, Any]) -> Any:
        """Text as it is, messages as the SDK's users add them one after another, or else as data."""
        if isinstance(given["chat"], str):
            return given["chat"]
        if not hasattr(self.sdk, "Chat"):
            return given["chat"]
        chat = self.sdk.Chat()
        for message in given["chat"]:
            chat.add_entry(message["role"], message["content"])
        return chat

    async def stream(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        await self._stream(saw, given, (await self._model(given)).complete_stream, given["prompt"])

    async def _stream(self, saw: dict[str, Any], given: dict[str, Any], begin: Any, asked: Any) -> None:
        saw["fragments"], saw["callbacks"] = [], []
        options = {**self._options(given), **self._callbacks(saw["callbacks"])}
        stream = await settled(begin(asked, **options))
        async for fragment in each(stream, self.shell):
            saw["fragments"].append(
                [
                    fragment.content,
                    fragment.tokens_count,
                    fragment.contains_drafted,
                    fragment.reasoning_type,
                ]
            )
            if len(saw["fragments"]) == given.get("cancel"):
                await settled(stream.cancel())
                if given.get("again"):
                    await settled(stream.cancel())
        self._tell_result(saw, stream.result(), given)

    async def leave(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        for fragment in self.handle.complete_stream(given["prompt"]):
            saw["fragment"] = fragment.content
            break
        # Whatever leaving had to send has been sent once this is answered.
        self.handle.count_tokens("left")

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = {name: given[name] for name in ("config", "preset") if name in given}
        return {**options, "response_format": given["schema"]} if "schema" in given else options

    def _callbacks(self, seen: list[Any]) -> dict[str, Any]:
        return {
            "on_prompt_processing_progress": lambda progress: seen.append(["progress", progress]),
            "on_first_token": lambda: seen.append(["first token"]),
            "on_prediction_fragment": lambda fragment: seen.append(["fragment", fragment.content]),
            "on_message": lambda message: seen.append(["message", message.content[0].text]),
        }

    def _tell_result(self, saw: dict[str, Any], result: Any, given: dict[str, Any]) -> None:
        stats = result.stats
        saw.update(
            content=result.content,
            parsed=result.parsed,
            structured=result.structured,
            stop_reason=stats.stop_reason,
            prompt_tokens=stats.prompt_tokens_count,
            predicted_tokens=stats.predicted_tokens_count,
            total_tokens=stats.total_tokens_count,
            tokens_per_second=stats.tokens_per_second,
            time_to_first_token=stats.time_to_first_token_sec,
            model_key=result.model_info.model_key,
            context_length=result.load_config.context_length,
            max_tokens=result.prediction_config.max_tokens,
            config=read_back(result.prediction_config, given.get("config", {})),
        )


async def run(sdk: Any, client: Any, shell: str, table: list[dict[str, Any]]) -> None:
    """Make the calls of a table."""
    caller = Caller(sdk, client, shell)
    await caller.begin()
    for number, call in enumerate(table):
        await caller.mark(number)
        tell(call["name"], await caller.make(call["do"], call["given"]))


async def run_async(sdk: Any, api_host: str, table: list[dict[str, Any]]) -> None:
    """Make them on an asynchronous client."""
    async with sdk.AsyncClient(api_host) as client:
        await run(sdk, client, "async", table)


def at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never has to wait, since all it calls is synchronous, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("a synchronous call gave something to be awaited")


class Warnings(logging.Handler):
    """Keeps the texts of warnings and worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.texts.append(record.getMessage())


def main() -> None:
    """Make the calls of a table with an SDK."""
    module, shell, api_host, path = sys.argv[1:]
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    sdk: Any = importlib.import_module(module)
    with open(path, encoding="utf-8") as file:
        table = json.load(file)
    if shell == "async":
        asyncio.run(run_async(sdk, api_host, table))
    else:
        with sdk.Client(api_host) as client:
            at_once(run(sdk, client, "sync", table))
    tell("warnings", warnings.texts)


if __name__ == "__main__":
    main()
