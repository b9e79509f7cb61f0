"""Vectors of texts."""

import lmstudio as lms

KEY = "emulator/embed-small"


def convenience() -> None:
    model = lms.embedding_model(KEY)
    print(model.embed("Hello, world!"), model.embed(["Hello, world!"]))
    print([each.identifier for each in lms.list_loaded_models("embedding")])
    print(lms.list_downloaded_models("embedding")[0].model_key)
    print(model.get_info().type, model.get_context_length())
    model.unload()
    print(lms.list_loaded_models("embedding"))


def scoped() -> None:
    with lms.Client() as client:
        model = client.embedding.model(KEY)
        print(model.embed("Hello, world!"), model.embed(["Hello, world!"]))
        print([each.identifier for each in client.list_loaded_models("embedding")])
        print(client.embedding.list_downloaded()[0].model_key)
        print(client.embedding.get_model_info(KEY).type, model.get_context_length())
        client.embedding.unload(KEY)
        print(client.embedding.list_loaded())


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        model = await (await client.embedding.list_downloaded())[0].model()
        print(await model.embed("Hello, world!"), await model.embed(["Hello, world!"]))
        print([each.identifier for each in await client.list_loaded_models("embedding")])
        print((await client.list_downloaded_models("embedding"))[0].model_key)
        print((await client.embedding.get_model_info(KEY)).type, await model.get_context_length())
        await model.unload()
        print(await client.embedding.list_loaded())
