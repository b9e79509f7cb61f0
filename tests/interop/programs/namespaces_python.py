"""The calls of ``tests.interop.namespace_calls`` in the words of the official Python SDK, for ``calls_python.py``: a
method for each ``do``, its spaces turned into underscores.
"""

from __future__ import annotations

import base64
import inspect
import tempfile
from pathlib import Path
from typing import Any


async def settled(value: Any) -> Any:
    """The value, awaited in the asynchronous shell."""
    return await value if inspect.isawaitable(value) else value


def facts_of(info: Any) -> list[Any]:
    """What is said of a model, loaded or not."""
    return [info.type, info.model_key, info.max_context_length]


def written(folder: str, name: str, content: bytes) -> Path:
    """A new file with this content."""
    path = Path(folder, name)
    path.write_bytes(content)
    return path


class NamespaceCaller:
    """Makes calls on one client; keeps the handles of uploaded files."""

    def __init__(self, sdk: Any, client: Any, handle: Any) -> None:
        self.sdk = sdk
        self.client = client
        self.handle = handle
        self.files: dict[str, Any] = {}

    # Models, of both namespaces.

    async def life_of_a_model(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        namespace = getattr(self.client, given["namespace"])
        saw["progress"] = []
        options = {name: given[name] for name in ("ttl", "config") if name in given}
        handle = await settled(
            namespace.load_new_instance(
                given["key"], given["identifier"], on_load_progress=saw["progress"].append, **options
            )
        )
        saw.update(
            identifier=handle.identifier,
            info=facts_of(await settled(handle.get_info())),
            context_length=await settled(handle.get_context_length()),
            tokens=await settled(handle.count_tokens("My name is")),
            loaded=await self._identifiers(namespace),
        )
        if given["namespace"] == "embedding":
            saw["size"] = len(await settled(handle.embed("My name is")))
        await settled(handle.unload())
        saw["left"] = await self._identifiers(namespace)
        try:
            await settled(handle.get_info())
        except self.sdk.LMStudioModelNotFoundError as error:
            saw["info_afterwards"] = type(error).__name__

    async def _identifiers(self, namespace: Any) -> list[str]:
        return sorted(model.identifier for model in await settled(namespace.list_loaded()))

    async def load_into(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        namespace = getattr(self.client, given["namespace"])
        saw["identifier"] = (await settled(namespace.load_new_instance(given["key"]))).identifier

    async def downloaded(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        namespace = given.get("namespace")
        if namespace is None:
            found = await settled(self.client.list_downloaded_models())
        else:
            found = await settled(getattr(self.client, namespace).list_downloaded())
        saw["models"] = [facts_of(model.info) for model in found]

    async def use_what_is_downloaded(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        found = await settled(getattr(self.client, given["namespace"]).list_downloaded())
        (model,) = [each for each in found if each.model_key == given["key"]]
        handles = [
            await settled(model.model(ttl=60)),
            await settled(model.load_new_instance(instance_identifier="another", ttl=None)),
        ]
        saw["identifiers"] = [handle.identifier for handle in handles]
        for handle in handles:
            await settled(handle.unload())

    async def unload_from(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        await settled(getattr(self.client, given["namespace"]).unload(given["identifier"]))

    # Chats.

    async def act(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw.update(called=[], messages=[], fragments=[], rounds_told=[])

        def add(a: int, b: int) -> int:
            """Add two numbers."""
            saw["called"].append([a, b])
            return a + b

        def idle() -> str:
            """Do nothing."""
            return "nothing"

        def told(message: Any) -> None:
            texts = [getattr(part, "text", "") for part in message.content]
            saw["messages"].append([message.role, "".join(texts)])

        result = await settled(
            self.handle.act(
                given["chat"],
                [add, idle],
                on_message=told,
                on_prediction_fragment=lambda fragment, index: saw["fragments"].append(
                    [fragment.content, index]
                ),
                on_round_start=saw["rounds_told"].append,
            )
        )
        saw["rounds"] = result.rounds

    async def respond_to_data(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        messages = [
            {
                **message,
                "content": [
                    self.files[part["file"]].to_dict() if "file" in part else part
                    for part in message["content"]
                ],
            }
            for message in given["messages"]
        ]
        chat = self.sdk.Chat.from_history({"messages": messages})
        saw["content"] = (await settled(self.handle.respond(chat))).content
        saw["prompt"] = await settled(self.handle.apply_prompt_template(chat, given["options"]))

    async def respond_to_an_image(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        chat = self.sdk.Chat()
        chat.add_user_message(given["text"], images=[self.files[given["file"]]])
        saw["content"] = (await settled(self.handle.respond(chat))).content

    # Files.

    async def prepare(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        content = base64.b64decode(given["base64"])
        if given["from"] == "path":
            with tempfile.TemporaryDirectory() as folder:
                handle = await settled(self.client.prepare_image(written(folder, given["name"], content)))
        else:
            handle = await settled(self.client.files.prepare_image(content, given["name"]))
        self.files[given["name"]] = handle
        saw.update(
            name=handle.name, type=handle.file_type, size=handle.size_bytes, identifier=handle.identifier
        )

    # The repository.

    async def search(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        names = {"searchTerm": "search_term", "compatibilityTypes": "compatibility_types", "limit": "limit"}
        options = {names[name]: value for name, value in given["options"].items()}
        found = [
            model.search_result for model in await settled(self.client.repository.search_models(**options))
        ]
        saw["models"] = [[model.name, bool(model.exact), bool(model.staff_pick)] for model in found]

    async def _options(self, given: dict[str, Any]) -> list[Any]:
        (found, *_) = await settled(self.client.repository.search_models(given["term"]))
        return list(await settled(found.get_download_options()))

    async def download_options(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw["options"] = [
            [each.quantization, each.size_bytes, each.fit_estimation, bool(each.recommended)]
            for each in (option.info for option in await self._options(given))
        ]

    async def download(self, saw: dict[str, Any], given: dict[str, Any]) -> None:
        saw.update(progress=[], finalizing=0)

        def followed(update: Any) -> None:
            saw["progress"].append(update.downloaded_bytes / update.total_bytes)

        def finalizing() -> None:
            saw["finalizing"] += 1

        (option,) = [
            option
            for option in await self._options(given)
            if option.info.quantization == given["quantization"]
        ]
        saw["key"] = await settled(option.download(followed, finalizing))
        downloaded = await settled(self.client.list_downloaded_models())
        saw["is_there"] = saw["key"] in [model.model_key for model in downloaded]
