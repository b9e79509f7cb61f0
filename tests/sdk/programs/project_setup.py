"""A server of one's own choice."""

import sys

import lmstudio as lms

SERVER_API_HOST = sys.argv[1]


def convenience() -> None:
    if not lms.Client.is_valid_api_host(SERVER_API_HOST):
        sys.exit("not running")
    lms.get_default_client(SERVER_API_HOST)
    print(lms.llm().complete("Say it."))


def scoped() -> None:
    try:
        with lms.Client(SERVER_API_HOST) as client:
            print(client.llm.model().complete("Say it."))
    except lms.LMStudioClientError:
        sys.exit("not running")


async def asynchronous() -> None:
    if not await lms.AsyncClient.is_valid_api_host(SERVER_API_HOST):
        sys.exit("not running")
    async with lms.AsyncClient(SERVER_API_HOST) as client:
        model = await client.llm.model()
        print(await model.complete("Say it."))
