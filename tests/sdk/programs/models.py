"""Which models there are, what is known of them, and their tokens."""

import lmstudio as lms

KEY = "emulator/ngram-small"


def convenience() -> None:
    print(next(model for model in lms.list_downloaded_models() if model.model_key == KEY))
    print(lms.list_downloaded_models("llm")[0].model().identifier)
    print([model.identifier for model in lms.list_loaded_models()])
    model = lms.llm()
    print(model.get_info().display_name)
    tokens = model.tokenize("Hello, world!")
    print(len(tokens) == model.count_tokens("Hello, world!"), tokens == model.tokenize(["Hello, world!"])[0])
    model.unload()
    print(lms.list_loaded_models("llm"))


def scoped() -> None:
    with lms.Client() as client:
        print(next(model for model in client.list_downloaded_models() if model.model_key == KEY))
        print(client.llm.list_downloaded()[0].model().identifier)
        print([model.identifier for model in client.llm.list_loaded()])
        model = client.llm.model()
        print(client.llm.get_model_info(model.identifier).display_name)
        tokens = model.tokenize("Hello, world!")
        print(
            len(tokens) == model.count_tokens("Hello, world!"),
            tokens == model.tokenize(["Hello, world!"])[0],
        )
        model.unload()
        print(client.list_loaded_models())


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        downloaded = await client.list_downloaded_models()
        print(repr(next(model for model in downloaded if model.model_key == KEY)).removeprefix("Async"))
        print((await (await client.llm.list_downloaded())[0].model()).identifier)
        print([model.identifier for model in await client.llm.list_loaded()])
        model = await client.llm.model()
        print((await client.llm.get_model_info({"identifier": model.identifier})).display_name)
        tokens = await model.tokenize("Hello, world!")
        print(
            len(tokens) == await model.count_tokens("Hello, world!"),
            tokens == (await model.tokenize(["Hello, world!"]))[0],
        )
        await model.unload()
        print(await client.list_loaded_models())
