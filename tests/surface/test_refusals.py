"""What servers refuse and what fails on them, as users see it: at once, the right exception with all its facts, and the
same client goes on. Every case runs over both shells and with both generations of servers.

Nothing here waits for a time-out: where one came instead of a refusal, the exception would be of another class.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from lmstudio import exceptions as official
from lmwire import (
    AuthenticationError,
    ChannelError,
    ConnectError,
    ConnectionLostError,
    IncompleteError,
    RefusedRequestError,
    RequestTimeoutError,
    RpcError,
    UnsupportedEndpointError,
    embedding,
    llm,
)
from lmwire_emulator import Generation
from tests.surface.refusals import (
    ANYTHING,
    SMALL,
    Bench,
    Make,
    Refusal,
    any_model,
    check,
    model_under,
    unknown_layer,
)


def complete_unloaded(bench: Bench) -> Any:
    """Complete with the handle of a model that has been unloaded since."""
    handle = bench.load(instance_identifier="mine")
    bench.shell.call(handle.unload)
    return bench.shell.call(handle.complete, "x")


def load_under_a_taken_identifier(bench: Bench) -> Any:
    return bench.load("emulator/ngram-vision", instance_identifier=SMALL)


PATHS: Final = {"availablePathsSample": ANYTHING, "totalModels": ANYTHING}
LOADED: Final = {"loadedModelsSample": [SMALL], "totalLoadedModels": 1}
NOT_FOUND: Final = official.LMStudioModelNotFoundError

BY_WHAT_IS_ASKED_FOR: Final = {
    "unknown model": Refusal(
        error=ChannelError,
        endpoint="llm.getOrLoad",
        call=lambda bench: bench.model("nobody/nothing"),
        official=NOT_FOUND,
        title="Model not found: nobody/nothing",
        cause=ANYTHING,
        suggestion=ANYTHING,
        display_data={"code": "generic.pathNotFound", "path": "nobody/nothing", **PATHS},
    ),
    "unknown model for a new instance": Refusal(
        error=ChannelError,
        endpoint="llm.loadModel",
        call=lambda bench: bench.load("nobody/nothing"),
        official=NOT_FOUND,
        title="Model not found: nobody/nothing",
        cause=ANYTHING,
        suggestion=ANYTHING,
        display_data={"code": "generic.pathNotFound", "path": "nobody/nothing", **PATHS},
    ),
    "info of what is not loaded": Refusal(
        error=RpcError,
        endpoint="llm.getModelInfo",
        call=lambda bench: bench.rpc(
            "llm.get_model_info", specifier=model_under("gone"), throw_if_not_found=True
        ),
        official=NOT_FOUND,
        title="No loaded model satisfies the requirements",
        suggestion=ANYTHING,
        display_data={
            "code": "generic.noModelMatchingQuery",
            "query": {"domain": "llm", "identifier": "gone"},
            **LOADED,
        },
    ),
    "info of an instance that is gone": Refusal(
        error=RpcError,
        endpoint="llm.getModelInfo",
        call=lambda bench: bench.rpc(
            "llm.get_model_info",
            specifier=llm.ModelSpecifierInstanceReference(instance_reference="gone"),
            throw_if_not_found=True,
        ),
        title="The model has been unloaded",
        cause=ANYTHING,
        suggestion=ANYTHING,
        display_data={"code": "generic.specificModelUnloaded"},
    ),
    "unloading what is not loaded": Refusal(
        error=RpcError,
        endpoint="llm.unloadModel",
        call=lambda bench: bench.shell.call(bench.client.llm.unload, "gone"),
        title='No loaded model has the identifier "gone"',
        suggestion=ANYTHING,
        display_data={"code": "generic.identifierNotFound", "identifier": "gone", **LOADED},
    ),
    "completion by a model that was unloaded": Refusal(
        error=ChannelError,
        endpoint="",
        call=complete_unloaded,
        official=NOT_FOUND,
        title="No loaded model satisfies the requirements",
        suggestion=ANYTHING,
        display_data={
            "code": "generic.noModelMatchingQuery",
            "query": {"domain": "llm", "identifier": "mine"},
            **LOADED,
        },
    ),
    "missing preset": Refusal(
        error=ChannelError,
        endpoint="",
        call=lambda bench: bench.complete(preset="nonesuch"),
        official=official.LMStudioPresetNotFoundError,
        title='Cannot find a preset that matches "nonesuch"',
        display_data={
            "code": "generic.presetNotFound",
            "specifiedFuzzyPresetIdentifier": "nonesuch",
            "availablePresetsSample": ANYTHING,
            "totalAvailablePresets": ANYTHING,
        },
    ),
    "embedding model as language model": Refusal(
        error=ChannelError,
        endpoint="llm.getOrLoad",
        call=lambda bench: bench.model("emulator/embed-small"),
        title=ANYTHING,
        suggestion=ANYTHING,
        display_data={
            "code": "generic.domainMismatch",
            "path": "emulator/embed-small",
            "actualDomain": "embedding",
            "expectedDomain": "llm",
        },
    ),
    "language model as embedding model": Refusal(
        error=ChannelError,
        endpoint="embedding.getOrLoad",
        call=lambda bench: bench.packets(
            "embedding.get_or_load",
            identifier="emulator/ngram-vision",
            load_config_stack=embedding.KvConfigStack(layers=[]),
        ),
        title=ANYTHING,
        suggestion=ANYTHING,
        display_data={
            "code": "generic.domainMismatch",
            "path": "emulator/ngram-vision",
            "actualDomain": "llm",
            "expectedDomain": "embedding",
        },
    ),
    "identifier in use": Refusal(
        error=ChannelError,
        endpoint="llm.loadModel",
        call=load_under_a_taken_identifier,
        title=f'The identifier "{SMALL}" is in use',
        cause=ANYTHING,
        suggestion=ANYTHING,
    ),
    "load that fails half way": Refusal(
        error=ChannelError,
        endpoint="llm.getOrLoad",
        call=lambda bench: bench.model("emulator/fails-to-load"),
        title="Failed to load the model",
        cause="This model is made to fail half way.",
        suggestion="Load another model.",
    ),
    "load that is refused": Refusal(
        error=ChannelError,
        endpoint="llm.loadModel",
        call=lambda bench: bench.load("emulator/too-large"),
        title="The model needs more memory than there is",
        cause="This model is made to be refused before it is loaded.",
        suggestion="Load a smaller model.",
    ),
    "prediction that fails": Refusal(
        error=ChannelError,
        endpoint="",
        call=lambda bench: bench.complete("emulator/fails-in-mid-stream"),
        title="Failed to go on with the prediction",
        cause=ANYTHING,
        suggestion=ANYTHING,
    ),
    "prediction whose model is unloaded": Refusal(
        error=ChannelError,
        endpoint="",
        call=lambda bench: bench.complete("emulator/unloads-in-mid-stream"),
        title="The model has been unloaded",
        cause=ANYTHING,
        suggestion=ANYTHING,
        display_data={"code": "generic.specificModelUnloaded"},
    ),
    "prediction without a result": Refusal(
        call=lambda bench: bench.complete("emulator/closes-in-mid-stream"),
        error=IncompleteError,
        endpoint="",
        official=official.LMStudioError,
        says="result",
    ),
    "prediction whose connection drops": Refusal(
        call=lambda bench: bench.complete("emulator/drops-in-mid-stream"),
        error=ConnectionLostError,
        endpoint="",
        official=official.LMStudioWebsocketError,
    ),
    "prediction that falls silent": Refusal(
        call=lambda bench: bench.complete("emulator/hangs-in-mid-stream", timeout=0.2),
        error=RequestTimeoutError,
        endpoint="",
        official=official.LMStudioTimeoutError,
        says="0.2 s",
    ),
    "bad parameter of a call": Refusal(
        call=lambda bench: bench.rpc(
            "llm.apply_prompt_template",
            specifier=any_model(),
            history=llm.ChatHistoryData(messages=[]),
            prediction_config_stack=unknown_layer(),
            opts=llm.LlmApplyPromptTemplateOpts(),
        ),
        error=RefusedRequestError,
        endpoint="llm.applyPromptTemplate",
        official=official.LMStudioError,
        says="invalid parameter",
    ),
    "bad parameter of a channel": Refusal(
        call=lambda bench: bench.packets(
            "llm.load_model", model_key=SMALL, load_config_stack=unknown_layer()
        ),
        error=RefusedRequestError,
        endpoint="llm.loadModel",
        official=official.LMStudioError,
        says="invalid creationParameter",
    ),
    "unhandled call": Refusal(
        call=lambda bench: bench.rpc("plugins.reindex_plugins"),
        error=UnsupportedEndpointError,
        endpoint="plugins.reindexPlugins",
        official=official.LMStudioError,
        says="unhandled endpoint",
    ),
    "unhandled channel": Refusal(
        call=lambda bench: bench.packets("plugins.set_prompt_preprocessor"),
        error=UnsupportedEndpointError,
        endpoint="plugins.setPromptPreprocessor",
        official=official.LMStudioError,
        says="unhandled endpoint",
    ),
}


@pytest.mark.parametrize("name", BY_WHAT_IS_ASKED_FOR)
def test_refused_by_what_is_asked_for(bench: Make, name: str) -> None:
    check(BY_WHAT_IS_ASKED_FOR[name], bench())


def test_progress_of_a_load_that_fails_never_gets_to_the_end(bench: Make) -> None:
    progress: list[float] = []
    one = bench()

    with pytest.raises(ChannelError):
        one.model("emulator/fails-to-load", on_load_progress=progress.append)
    assert progress == [0.0, 0.25, 0.5]


def test_several_matches_load_the_first(bench: Make) -> None:
    """A path without a file means two models here; upstream's server takes the first one and says so."""
    one = bench()

    packets = one.packets(
        "llm.load_model",
        model_key="emulator/ngram-small-GGUF",
        load_config_stack=llm.KvConfigStack(layers=[]),
    )
    assert list(packets[0].ambiguous) == [SMALL, f"{SMALL}@q4_k_m"]
    assert one.shell.call(one.load("emulator/ngram-small-GGUF").get_info).model_key == SMALL
    assert one.model("emulator/ngram-small-GGUF").identifier == SMALL


def test_several_loaded_models_that_match_are_the_one_loaded_first(bench: Make) -> None:
    one = bench()
    one.load("emulator/ngram-vision")

    info = one.rpc("llm.get_model_info", specifier=any_model(), throw_if_not_found=True)
    assert info.identifier == SMALL
    assert one.shell.call(one.client.llm.model).identifier == SMALL


@pytest.mark.parametrize(
    ("token", "says"),
    [(None, "wants an API token, and none was given"), (f"sk-lm-12345678:{'x' * 20}", "not valid here")],
)
def test_a_refused_token(bench: Make, token: str | None, says: str) -> None:
    right = f"sk-lm-12345678:{'y' * 20}"
    one = bench(api_tokens=[right], client={"api_token": token})

    for _ in range(2):
        with pytest.raises(AuthenticationError, match=says) as caught:
            one.shell.call(one.client.llm.model)
        assert isinstance(official.translate(caught.value), official.LMStudioServerError)
    allowed = one.shell.client(one.emulator.api_host, api_token=right)
    assert one.shell.call(allowed.llm.model).identifier == SMALL
    one.shell.call(allowed.close)


def test_a_namespace_that_the_server_does_not_have(bench: Make, generation: Generation) -> None:
    one = bench()
    if generation == "2026":
        assert one.rpc("runtime.list_engines")
    else:
        with pytest.raises(ConnectError, match="/runtime"):
            one.rpc("runtime.list_engines")
    one.goes_on()
