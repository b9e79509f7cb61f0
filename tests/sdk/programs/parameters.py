"""Options of a prediction, and of loading a model."""

import lmstudio as lms

KEY = "emulator/ngram-vision"
LOAD: lms.LlmLoadModelConfigDict = {"contextLength": 2048, "gpu": {"ratio": 0.5}}


def convenience() -> None:
    model = lms.llm(KEY, config=LOAD, ttl=600)
    print(model.get_context_length())
    result = model.complete("Hello", config={"temperature": 0.6, "maxTokens": 50, "stopStrings": ["\n\n"]})
    print(result.prediction_config.temperature, result.prediction_config.max_tokens)

    another = lms.get_default_client().llm.load_new_instance(KEY, "another", config={"contextLength": 512})
    print(another.identifier, another.get_load_config().context_length)
    another.unload()


def scoped() -> None:
    with lms.Client() as client:
        model = client.llm.model(KEY, config=LOAD, ttl=600)
        print(model.get_context_length())
        options = lms.LlmPredictionConfig(temperature=0.6, max_tokens=50, stop_strings=["\n\n"])
        result = model.complete("Hello", config=options)
        print(result.prediction_config.temperature, result.prediction_config.max_tokens)

        another = client.llm.load_new_instance(
            KEY, "another", config=lms.LlmLoadModelConfig(context_length=512)
        )
        print(another.identifier, another.get_load_config().context_length)
        client.llm.unload("another")


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        model = await client.llm.model(KEY, config=LOAD, ttl=600)
        print(await model.get_context_length())
        result = await model.complete(
            "Hello", config={"temperature": 0.6, "maxTokens": 50, "stopStrings": ["\n\n"]}
        )
        print(result.prediction_config.temperature, result.prediction_config.max_tokens)

        another = await client.llm.load_new_instance(KEY, "another", config={"contextLength": 512})
        print(another.identifier, (await another.get_load_config()).context_length)
        await another.unload()
