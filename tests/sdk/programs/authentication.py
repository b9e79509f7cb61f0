"""An API token, given to the client; the environment's is tested beside."""

import sys

import lmstudio as lms

TOKEN = sys.argv[1] if len(sys.argv) > 1 else None


def convenience() -> None:
    lms.configure_default_client(api_token=TOKEN)
    print(lms.llm().complete("Say it."))


def scoped() -> None:
    with lms.Client(api_token=TOKEN) as client:
        print(client.llm.model().complete("Say it."))


async def asynchronous() -> None:
    async with lms.AsyncClient(api_token=TOKEN) as client:
        model = await client.llm.model()
        print(await model.complete("Say it."))
