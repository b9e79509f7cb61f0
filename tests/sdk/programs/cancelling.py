"""Stopping a completion for a reason of one's own, and what is left of it."""

import lmstudio as lms

PROMPT = "Count for ever:"


def enough(fragment: lms.LlmPredictionFragment) -> bool:
    return fragment.content.strip() == "3"


def report(result: lms.PredictionResult) -> None:
    print(result.content)
    print(result.stats.stop_reason)


def convenience() -> None:
    model = lms.llm()
    stream = model.complete_stream(PROMPT)
    for fragment in stream:
        if enough(fragment):
            stream.cancel()
    report(stream.result())

    for fragment in model.complete_stream(PROMPT):
        if enough(fragment):
            break
    print(model.complete("Say it."))


def scoped() -> None:
    with lms.Client() as client:
        model = client.llm.model()
        stream = model.complete_stream(PROMPT)
        for fragment in stream:
            if enough(fragment):
                stream.cancel()
        report(stream.result())

        with model.complete_stream(PROMPT) as stream:
            for fragment in stream:
                if enough(fragment):
                    break
        print(model.complete("Say it."))


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        model = await client.llm.model()
        stream = await model.complete_stream(PROMPT)
        async for fragment in stream:
            if enough(fragment):
                await stream.cancel()
        report(stream.result())

        async with model.complete_stream(PROMPT) as stream:
            async for fragment in stream:
                if enough(fragment):
                    break
        print(await model.complete("Say it."))
