"""Prints what files, searches and downloads come to, as JSON: ``python ... HOST FORM FOLDER``.

Two interpreters run it: one has the official SDK, one has ours. FORM is ``sync`` or ``async``; FOLDER has ``a.png``.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmstudio as lms

HOST, FORM, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
ERRORS = (
    "LMStudioOSError",
    "LMStudioServerError",
    "LMStudioRuntimeError",
    "LMStudioValueError",
    "ValidationError",
)


async def done(result: Any) -> Any:
    """What comes of a call, in whichever form."""
    return await result if inspect.isawaitable(result) else result


def image(*arguments: Any) -> Callable[[Any], Any]:
    async def action(client: Any) -> Any:
        handle = await done(client.files.prepare_image(*arguments))
        assert isinstance(handle, lms.FileHandle)
        return [
            len(handle.name) if handle.name.count("-") == 4 else handle.name,
            handle.size_bytes,
            handle.file_type,
        ]

    return action


async def image_of_the_client(client: Any) -> Any:
    return (await done(client.prepare_image(src=b"x", name="n"))).identifier


def search(*arguments: Any, **options: Any) -> Callable[[Any], Any]:
    async def action(client: Any) -> Any:
        return [repr(model) for model in await done(client.repository.search_models(*arguments, **options))]

    return action


async def results(client: Any) -> Any:
    models = await done(client.repository.search_models("ngram"))
    again = await done(client.repository.search_models("ngram"))
    data = models[0].search_result
    return [
        models == again,
        models[0] == models[1],
        data.name,
        data.identifier.type,
        data.exact,
        data.staff_pick,
    ]


async def options_of(client: Any) -> Any:
    return await done((await done(client.repository.search_models("ngram-mlx")))[0].get_download_options())


async def options(client: Any) -> Any:
    found = await options_of(client)
    fields = ("name", "size_bytes", "fit_estimation", "download_identifier", "quantization", "recommended")
    return [[repr(option), *(getattr(option.info, name) for name in fields)] for option in found]


async def download(client: Any) -> Any:
    told: list[Any] = []

    def progress(update: Any) -> None:
        assert isinstance(update, lms.DownloadProgressUpdate)
        told.append([update.downloaded_bytes, update.total_bytes, update.speed_bytes_per_second >= 0])

    option = (await options_of(client))[0]
    key = await done(option.download(on_progress=progress, on_finalize=lambda: told.append("finalizing")))
    return [key, told]


async def download_without_callbacks(client: Any) -> Any:
    return await done((await options_of(client))[0].download())


async def on_disk(client: Any) -> Any:
    listed = await done(client.list_downloaded_models())
    models = await done(client.system.list_downloaded_models())
    return [models == listed, [[type(model).__name__, model.model_key, model.type] for model in models]]


ACTIONS: dict[str, Callable[[Any], Any]] = {
    "bytes": image(b"\x89PNG\r\n\x1a\n", "b.png"),
    "bytes without a name": image(b"abc"),
    "an empty name": image(b"abc", ""),
    "part of a buffer": image(memoryview(b"abcdef")[2:4], "c"),
    "a path": image(FOLDER / "a.png"),
    "a path as text": image(str(FOLDER / "a.png"), "named.png"),
    "a file": image(io.BytesIO(b"abc"), "d"),
    "a file without a name": image(io.BytesIO(b"abc")),
    "no such file": image(FOLDER / "none.png"),
    "a folder": image(FOLDER),
    "a number": image(5),
    "the client's method": image_of_the_client,
    "a search": search("ngram"),
    "a limited search": search("ngram", 1),
    "a search for a format": search(compatibility_types=["safetensors"]),
    "a limit alone": search(limit=2),
    "no limit": search("ngram", limit=0),
    "a search for nothing": search(),
    "a search for no words": search(""),
    "too high a limit": search("ngram", limit=26),
    "a limit in words": search("ngram", limit="two"),
    "results": results,
    "options": options,
    "a download": download,
    "a second download": download_without_callbacks,
    "on disk": on_disk,
}


async def outcome(action: Callable[[Any], Any], client: Any) -> dict[str, Any]:
    try:
        return {"value": await action(client)}
    except (lms.LMStudioError, lms.ValidationError) as error:
        return {"errors": [name for name in ERRORS if isinstance(error, getattr(lms, name))]}


async def outcomes(client: Any) -> dict[str, Any]:
    return {name: await outcome(action, client) for name, action in ACTIONS.items()}


async def in_tasks() -> dict[str, Any]:
    async with lms.AsyncClient(HOST) as client:
        return await outcomes(client)


def in_a_thread() -> dict[str, Any]:
    with lms.Client(HOST) as client:
        # Nothing in it waits: the coroutine ends at its first step.
        try:
            outcomes(client).send(None)
        except StopIteration as ended:
            found: dict[str, Any] = ended.value
            return found
    raise AssertionError("it waited")


print(json.dumps(asyncio.run(in_tasks()) if FORM == "async" else in_a_thread()))
