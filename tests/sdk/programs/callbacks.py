"""Being told how a completion gets on."""

from typing import Any

import lmstudio as lms

PROMPT = "Once upon a time"


def callbacks() -> dict[str, Any]:
    return {
        "on_prompt_processing_progress": lambda progress: print(f"{progress:.0%}"),
        "on_first_token": lambda: print("first"),
        "on_prediction_fragment": lambda fragment: print(fragment.content),
        "on_message": lambda message: print("".join(part.text for part in message.content)),
    }


def convenience() -> None:
    lms.llm().complete(PROMPT, **callbacks())


def scoped() -> None:
    with lms.Client() as client:
        for _ in client.llm.model().complete_stream(PROMPT, **callbacks()):
            pass


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        await (await client.llm.model()).complete(PROMPT, **callbacks())
