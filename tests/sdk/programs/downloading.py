"""A model is searched, one of its quantizations is downloaded, and then loaded by the key that it got."""

import lmstudio as lms


def print_progress(update: lms.DownloadProgressUpdate) -> None:
    if update.downloaded_bytes == update.total_bytes:
        print(f"{update.downloaded_bytes} of {update.total_bytes} bytes", update.speed_bytes_per_second > 0)


def convenience() -> None:
    results = lms.get_default_client().repository.search_models("ngram", 5, ["gguf"])
    best_result = results[0]
    print(best_result.search_result.name, best_result.search_result.staff_pick)
    options = best_result.get_download_options()
    desired = next(option for option in options if option.info.quantization == "Q8_0")
    print(desired.info.name, desired.info.size_bytes, desired.info.fit_estimation, desired.info.recommended)
    model_key = desired.download(on_progress=print_progress, on_finalize=lambda: print("Finalizing"))
    print(lms.llm(model_key).identifier)
    print(model_key in [model.model_key for model in lms.list_downloaded_models()])


def scoped() -> None:
    with lms.Client() as client:
        results = client.repository.search_models(search_term="ngram", limit=5, compatibility_types=["gguf"])
        best_result = results[0]
        print(best_result.search_result.name, best_result.search_result.staff_pick)
        options = best_result.get_download_options()
        desired = next(option for option in options if option.info.quantization == "Q8_0")
        print(
            desired.info.name, desired.info.size_bytes, desired.info.fit_estimation, desired.info.recommended
        )
        model_key = desired.download(print_progress, lambda: print("Finalizing"))
        print(client.llm.model(model_key).identifier)
        print(model_key in [model.model_key for model in client.system.list_downloaded_models()])


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        results = await client.repository.search_models("ngram", limit=5, compatibility_types=["gguf"])
        best_result = results[0]
        print(best_result.search_result.name, best_result.search_result.staff_pick)
        options = await best_result.get_download_options()
        desired = next(option for option in options if option.info.quantization == "Q8_0")
        print(
            desired.info.name, desired.info.size_bytes, desired.info.fit_estimation, desired.info.recommended
        )
        model_key = await desired.download(
            on_progress=print_progress, on_finalize=lambda: print("Finalizing")
        )
        print((await client.llm.model(model_key)).identifier)
        print(model_key in [model.model_key for model in await client.system.list_downloaded_models()])
