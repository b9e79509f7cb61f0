"""A completion, at once and piece by piece, and what is known of it afterwards."""

import lmstudio as lms

PROMPT = "Once upon a time"


def report(result: lms.PredictionResult) -> None:
    print(f"[{result.model_info.display_name}]")
    print(f"[{result.stats.predicted_tokens_count} tokens, {result.stats.stop_reason}]")
    assert result.stats.time_to_first_token_sec is not None


def convenience() -> None:
    model = lms.llm()
    result = model.complete(PROMPT, config={"maxTokens": 100})
    print(result)
    report(result)

    stream = model.complete_stream(PROMPT, config={"maxTokens": 100})
    for fragment in stream:
        print(fragment.content, end="|", flush=True)
    print()
    report(stream.result())


def scoped() -> None:
    with lms.Client() as client:
        model = client.llm.model("emulator/ngram-small")
        result = model.complete(PROMPT, config={"maxTokens": 100})
        print(result)
        report(result)

        with model.complete_stream(PROMPT, config={"maxTokens": 100}) as stream:
            for fragment in stream:
                print(fragment.content, end="|", flush=True)
        print()
        report(stream.result())


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        model = await client.llm.model("emulator/ngram-small")
        result = await model.complete(PROMPT, config={"maxTokens": 100})
        print(result)
        report(result)

        stream = await model.complete_stream(PROMPT, config={"maxTokens": 100})
        async for fragment in stream:
            print(fragment.content, end="|", flush=True)
        print()
        report(stream.result())
