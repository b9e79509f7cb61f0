"""Models are found, loaded, kept, evicted and unloaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import attrs
import pytest

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.catalogue import DEFAULT_CATALOGUE, DEFAULT_MODEL_KEY
from lmwire_emulator.errors import (
    DeviceNotFoundError,
    DomainMismatchError,
    EmulatorError,
    IdentifierNotFoundError,
    IdentifierTakenError,
    InstanceUnloadedError,
    LoadFailedError,
    ModelNotFoundError,
    NoMatchingModelError,
)
from lmwire_emulator.kv_config import ConfigLayer, Field
from lmwire_emulator.models import LoadedModel, LoadFailure, LoadPlan, Model
from lmwire_emulator.registry import (
    AlreadyLoaded,
    Loaded,
    LoadEvent,
    LoadProgress,
    ModelRegistry,
    Resolved,
    StartLoading,
    UnloadingOther,
)
from tests.emulator.clocks import JumpingClock, StandingClock


def model(key: str, **facts: Any) -> Model:
    """A model of the publisher ``acme`` unless the facts say otherwise."""
    known: dict[str, Any] = {
        "path": f"acme/{key}-GGUF/{key}-Q8_0.gguf",
        "display_name": key.title(),
        "publisher": "acme",
        "format": "gguf",
        "size_bytes": 1,
        "domain": "llm",
        "max_context_length": 8192,
    }
    return Model(model_key=key, **{**known, **facts})


TINY = model("tiny")
SMALL_Q8 = model("small", path="acme/small-GGUF/small-Q8_0.gguf")
SMALL_Q4 = model("small@q4", path="acme/small-GGUF/small-Q4_K_M.gguf")
SEEING = model("seeing", vision=True)
VECTORS = model("vectors", domain="embedding", default_context_length=512)
BROKEN = model(
    "broken", loading=LoadPlan(failure=LoadFailure(at=0.5, title="no luck", cause="c", suggestion="s"))
)
CATALOGUE = (TINY, SMALL_Q8, SMALL_Q4, SEEING, VECTORS, BROKEN)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def registry(clock: JumpingClock) -> ModelRegistry:
    return ModelRegistry(CATALOGUE, clock=clock)


async def events_of(load: AsyncGenerator[LoadEvent, None]) -> list[LoadEvent]:
    return [event async for event in load]


async def loaded(load: AsyncGenerator[LoadEvent, None]) -> LoadedModel:
    last = (await events_of(load))[-1]
    assert isinstance(last, (Loaded, AlreadyLoaded))
    return last.instance


def identifiers(registry: ModelRegistry) -> list[str]:
    return [instance.identifier for instance in registry.loaded()]


class TestCatalogue:
    def test_has_language_models_and_an_embedding_model(self) -> None:
        registry = ModelRegistry()

        assert DEFAULT_MODEL_KEY in {
            found.model_key for found in registry.find_downloaded(DEFAULT_MODEL_KEY, "llm")
        }
        assert {found.domain for found in registry.downloaded} == {"llm", "embedding"}
        assert len([found for found in registry.downloaded if found.domain == "llm"]) > 1

    def test_paths_have_three_parts_and_begin_with_the_publisher(self) -> None:
        for entry in DEFAULT_CATALOGUE:
            publisher, _, _ = entry.path.split("/")
            assert publisher == entry.publisher

    def test_contexts_fit_the_models(self) -> None:
        assert all(entry.default_context_length <= entry.max_context_length for entry in DEFAULT_CATALOGUE)

    @pytest.mark.parametrize(
        "double", [attrs.evolve(TINY, path="a/b/c"), attrs.evolve(TINY, model_key="other")]
    )
    def test_keys_and_paths_are_unique(self, double: Model) -> None:
        with pytest.raises(ValueError, match="differ in key and path"):
            ModelRegistry([TINY, double])


class TestFindingDownloaded:
    @pytest.mark.parametrize(
        ("key", "keys"),
        [
            ("tiny", ["tiny"]),
            ("acme/tiny-GGUF/tiny-Q8_0.gguf", ["tiny"]),
            ("acme/tiny-GGUF", ["tiny"]),
            ("acme/small-GGUF", ["small", "small@q4"]),
        ],
    )
    def test_by_key_and_path(self, registry: ModelRegistry, key: str, keys: list[str]) -> None:
        assert [found.model_key for found in registry.find_downloaded(key, "llm")] == keys

    @pytest.mark.parametrize("key", ["", "tin", "TINY", "acme", "acme/tiny", "acme/tiny-GGUF/", "nonesuch"])
    def test_nothing_else_is_found(self, registry: ModelRegistry, key: str) -> None:
        with pytest.raises(ModelNotFoundError) as caught:
            registry.find_downloaded(key, "llm")

        data = caught.value.display_data
        assert data is not None
        assert data["code"] == "generic.pathNotFound"
        assert data["path"] == key
        assert data["totalModels"] == len(CATALOGUE)
        assert TINY.path in data["availablePathsSample"]

    def test_the_wrong_namespace(self, registry: ModelRegistry) -> None:
        with pytest.raises(DomainMismatchError) as caught:
            registry.find_downloaded("vectors", "llm")

        assert caught.value.display_data == {
            "code": "generic.domainMismatch",
            "path": "vectors",
            "actualDomain": "embedding",
            "expectedDomain": "llm",
        }


class TestGetOrLoad:
    async def test_loads_with_progress(self, registry: ModelRegistry) -> None:
        events = await events_of(registry.get_or_load("tiny", "llm", ttl_ms=60_000))

        assert events[0] == StartLoading("tiny", TINY)
        progress = [event.progress for event in events if isinstance(event, LoadProgress)]
        assert progress[0] == 0
        assert progress[-1] == 1
        assert progress == sorted(progress)
        last = events[-1]
        assert isinstance(last, Loaded)
        assert last.instance.identifier == "tiny"
        assert last.instance.ttl_ms == 60_000
        assert registry.loaded("llm") == [last.instance]

    async def test_takes_the_time_that_the_model_needs(self, clock: JumpingClock) -> None:
        slow = attrs.evolve(TINY, loading=LoadPlan(steps=(0.5, 1.0), seconds=3.0))
        await loaded(ModelRegistry([slow], clock=clock).get_or_load("tiny", "llm"))

        assert sum(clock.slept) == 3.0

    async def test_uses_what_is_loaded_unchanged(self, registry: ModelRegistry) -> None:
        first = await loaded(registry.get_or_load("tiny", "llm", ttl_ms=60_000))
        other_length = ConfigLayer("apiOverride", [{"key": "llm.load.contextLength", "value": 99}])
        again = await events_of(registry.get_or_load("tiny", "llm", ttl_ms=1, layers=[other_length]))

        assert again == [AlreadyLoaded(first)]
        assert first.ttl_ms == 60_000
        assert first.context_length == 4096

    async def test_finds_an_identifier_that_is_no_key(self, registry: ModelRegistry) -> None:
        mine = await loaded(registry.load("tiny", "llm", identifier="mine"))

        assert await events_of(registry.get_or_load("mine", "llm")) == [AlreadyLoaded(mine)]

    async def test_a_path_loads_once(self, registry: ModelRegistry) -> None:
        first = await loaded(registry.get_or_load("acme/tiny-GGUF", "llm"))

        assert first.identifier == "tiny"
        assert await loaded(registry.get_or_load("acme/tiny-GGUF", "llm")) is first

    async def test_two_at_the_same_time_load_once(self, registry: ModelRegistry) -> None:
        both = await asyncio.gather(
            events_of(registry.get_or_load("tiny", "llm")), events_of(registry.get_or_load("tiny", "llm"))
        )

        assert sorted(type(events[-1]).__name__ for events in both) == ["AlreadyLoaded", "Loaded"]
        assert identifiers(registry) == ["tiny"]

    async def test_whoever_waited_for_a_load_that_failed_tries_again(self, registry: ModelRegistry) -> None:
        both = await asyncio.gather(
            events_of(registry.get_or_load("broken", "llm")),
            events_of(registry.get_or_load("broken", "llm")),
            return_exceptions=True,
        )

        assert [type(outcome) for outcome in both] == [LoadFailedError, LoadFailedError]

    async def test_waiting_for_another_load_can_be_cancelled(self) -> None:
        slow = attrs.evolve(TINY, loading=LoadPlan(seconds=1))
        registry = ModelRegistry([slow], clock=StandingClock())
        cancellation = Cancellation()
        async with aclosing(registry.get_or_load("tiny", "llm")) as first:
            assert await anext(first) == StartLoading("tiny", slow)
            waiting = asyncio.create_task(
                events_of(registry.get_or_load("tiny", "llm", cancellation=cancellation))
            )
            await asyncio.sleep(0)
            cancellation.cancel()

            assert await waiting == []

    @pytest.mark.parametrize("key", ["vectors", "loaded vectors"])
    async def test_of_the_wrong_domain(self, registry: ModelRegistry, key: str) -> None:
        await loaded(registry.load("vectors", "embedding", identifier="loaded vectors"))

        with pytest.raises(DomainMismatchError):
            await events_of(registry.get_or_load(key, "llm"))

    async def test_unknown(self, registry: ModelRegistry) -> None:
        with pytest.raises(ModelNotFoundError, match="nonesuch"):
            await events_of(registry.get_or_load("nonesuch", "llm"))


class TestEviction:
    async def test_another_model_of_any_domain_makes_room(self, registry: ModelRegistry) -> None:
        vectors = await loaded(registry.get_or_load("vectors", "embedding"))
        events = await events_of(registry.get_or_load("tiny", "llm"))

        assert events[:2] == [UnloadingOther(vectors), StartLoading("tiny", TINY)]
        assert identifiers(registry) == ["tiny"]

    async def test_models_loaded_on_purpose_stay(self, registry: ModelRegistry) -> None:
        await loaded(registry.load("tiny", "llm"))
        await loaded(registry.get_or_load("seeing", "llm"))
        await loaded(registry.load("small", "llm"))

        assert identifiers(registry) == ["tiny", "seeing", "small"]

    async def test_a_model_in_use_stays(self, registry: ModelRegistry) -> None:
        tiny = await loaded(registry.get_or_load("tiny", "llm"))
        with registry.using(tiny):
            await loaded(registry.get_or_load("seeing", "llm"))

        assert identifiers(registry) == ["tiny", "seeing"]

    async def test_can_be_switched_off(self) -> None:
        registry = ModelRegistry(CATALOGUE, evict_just_in_time=False)
        await loaded(registry.get_or_load("tiny", "llm"))
        await loaded(registry.get_or_load("seeing", "llm"))

        assert identifiers(registry) == ["tiny", "seeing"]


class TestLoad:
    async def test_loads_another_instance_each_time(self, registry: ModelRegistry) -> None:
        instances = [await loaded(registry.load("tiny", "llm")) for _ in range(3)]

        assert [instance.identifier for instance in instances] == ["tiny", "tiny:2", "tiny:3"]
        assert len({instance.instance_reference for instance in instances}) == 3

    async def test_an_identifier_that_is_free_again_is_used(self, registry: ModelRegistry) -> None:
        for _ in range(3):
            await loaded(registry.load("tiny", "llm"))
        registry.unload("tiny:2", "llm")

        assert (await loaded(registry.load("tiny", "llm"))).identifier == "tiny:2"

    async def test_at_the_same_time_under_different_identifiers(self, registry: ModelRegistry) -> None:
        await asyncio.gather(*(events_of(registry.load("tiny", "llm")) for _ in range(3)))

        assert sorted(identifiers(registry)) == ["tiny", "tiny:2", "tiny:3"]

    async def test_under_a_given_identifier(self, registry: ModelRegistry) -> None:
        events = await events_of(registry.load("tiny", "llm", identifier="mine", ttl_ms=5))

        assert events[0] == Resolved(TINY)
        assert registry.loaded()[0].identifier == "mine"

    async def test_an_identifier_in_use_is_refused(self, registry: ModelRegistry) -> None:
        await loaded(registry.load("tiny", "llm", identifier="mine"))

        with pytest.raises(IdentifierTakenError, match="mine"):
            await events_of(registry.load("seeing", "llm", identifier="mine"))

    async def test_an_identifier_of_a_load_in_progress_is_refused(self, registry: ModelRegistry) -> None:
        outcomes = await asyncio.gather(
            events_of(registry.load("tiny", "llm", identifier="mine")),
            events_of(registry.load("seeing", "llm", identifier="mine")),
            return_exceptions=True,
        )

        assert isinstance(outcomes[1], IdentifierTakenError)
        assert identifiers(registry) == ["mine"]

    async def test_several_matches_load_the_first_and_tell_all(self, registry: ModelRegistry) -> None:
        events = await events_of(registry.load("acme/small-GGUF", "llm"))

        assert events[0] == Resolved(SMALL_Q8, ("small", "small@q4"))
        assert registry.loaded()[0].model is SMALL_Q8

    async def test_a_model_that_fails_half_way(self, registry: ModelRegistry) -> None:
        seen: list[LoadEvent] = []

        async def load() -> None:
            async for event in registry.load("broken", "llm"):
                seen.append(event)

        with pytest.raises(LoadFailedError, match="no luck") as caught:
            await load()

        assert max(event.progress for event in seen if isinstance(event, LoadProgress)) == 0.5
        assert (caught.value.cause, caught.value.suggestion) == ("c", "s")
        assert registry.loaded() == []

    async def test_the_identifier_of_a_failed_load_is_free(self, registry: ModelRegistry) -> None:
        with pytest.raises(LoadFailedError):
            await events_of(registry.load("broken", "llm", identifier="mine"))

        assert (await loaded(registry.load("tiny", "llm", identifier="mine"))).model is TINY

    async def test_a_remote_device_is_unknown(self, registry: ModelRegistry) -> None:
        for load in (registry.load, registry.get_or_load):
            with pytest.raises(DeviceNotFoundError, match="attic"):
                await events_of(load("tiny", "llm", device_identifier="attic"))


class TestLoadConfig:
    async def test_what_was_asked_for_and_the_defaults_are_reported(self, registry: ModelRegistry) -> None:
        fields: list[Field] = [
            {"key": "llm.load.contextLength", "value": 512.0},
            {"key": "llm.load.seed", "value": {"checked": True, "value": 7}},
        ]
        instance = await loaded(
            registry.get_or_load("tiny", "llm", layers=[ConfigLayer("apiOverride", fields)])
        )
        reported = {field["key"]: field["value"] for field in instance.load_config.fields()}

        assert instance.context_length == 512
        assert reported["llm.load.contextLength"] == 512
        assert reported["llm.load.seed"] == {"checked": True, "value": 7}
        assert reported["llm.load.llama.flashAttention"] is False

    async def test_a_context_is_never_longer_than_the_models(self, registry: ModelRegistry) -> None:
        layer = ConfigLayer("apiOverride", [{"key": "llm.load.contextLength", "value": 10**9}])

        assert (await loaded(registry.load("tiny", "llm", layers=[layer]))).context_length == 8192

    async def test_embedding_models_have_keys_of_their_own(self, registry: ModelRegistry) -> None:
        instance = await loaded(registry.load("vectors", "embedding"))

        assert instance.context_length == 512
        assert {"key": "embedding.load.contextLength", "value": 512} in instance.load_config.fields()


class TestCancellingALoad:
    @pytest.mark.parametrize("endpoint", ["get_or_load", "load"])
    async def test_half_way(self, registry: ModelRegistry, endpoint: str) -> None:
        cancellation = Cancellation()
        seen: list[LoadEvent] = []
        async for event in getattr(registry, endpoint)("tiny", "llm", cancellation=cancellation):
            seen.append(event)
            if event == LoadProgress(0.5):
                cancellation.cancel()

        assert seen[-1] == LoadProgress(0.5)
        assert registry.loaded() == []
        assert (await loaded(registry.load("tiny", "llm"))).identifier == "tiny"

    async def test_at_the_last_moment(self, registry: ModelRegistry) -> None:
        cancellation = Cancellation()
        async for event in registry.get_or_load("tiny", "llm", cancellation=cancellation):
            if event == LoadProgress(1.0):
                cancellation.cancel()

        assert registry.loaded() == []

    async def test_while_it_waits(self) -> None:
        clock = StandingClock()
        registry = ModelRegistry([attrs.evolve(TINY, loading=LoadPlan(seconds=9))], clock=clock)
        cancellation = Cancellation()
        load = asyncio.create_task(events_of(registry.load("tiny", "llm", cancellation=cancellation)))
        await clock.sleeping.wait()
        cancellation.cancel()

        assert not any(isinstance(event, Loaded) for event in await load)

    async def test_closing_the_events_gives_the_identifier_back(self, registry: ModelRegistry) -> None:
        async with aclosing(registry.load("tiny", "llm", identifier="mine")) as events:
            async for event in events:
                if event == LoadProgress(0.5):
                    break

        assert (await loaded(registry.load("tiny", "llm", identifier="mine"))).identifier == "mine"


class TestResolving:
    @pytest.fixture
    async def three(self, registry: ModelRegistry) -> ModelRegistry:
        await loaded(registry.load("tiny", "llm", identifier="one"))
        await loaded(registry.load("seeing", "llm", identifier="two"))
        await loaded(registry.load("vectors", "embedding", identifier="three"))
        return registry

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, ["one", "two"]),
            ({"domain": "llm"}, ["one", "two"]),
            ({"identifier": "two"}, ["two"]),
            ({"path": "acme/tiny-GGUF"}, ["one"]),
            ({"path": "acme/tiny-GGUF/tiny-Q8_0.gguf"}, ["one"]),
            ({"vision": True}, ["two"]),
            ({"vision": False}, ["one"]),
            ({"deviceIdentifier": None}, ["one", "two"]),
            ({"deviceIdentifier": "attic"}, []),
            ({"identifier": "one", "vision": True}, []),
            ({"identifier": "two", "vision": True, "path": "acme/seeing-GGUF", "domain": "llm"}, ["two"]),
            ({"domain": "embedding"}, []),
            ({"identifier": "ONE"}, []),
            ({"path": "acme"}, []),
            ({"path": "acme/tiny-GGUF/other.gguf"}, []),
            ({"identifer": "a typo is not looked at"}, ["one", "two"]),
        ],
    )
    def test_all_fields_given_must_match(
        self, three: ModelRegistry, query: dict[str, Any], found: list[str]
    ) -> None:
        assert [instance.identifier for instance in three.find(query, "llm")] == found

    def test_the_first_of_several_counts(self, three: ModelRegistry) -> None:
        assert three.resolve({}, "llm").identifier == "one"

    def test_no_match_tells_what_was_searched_and_what_there_is(self, three: ModelRegistry) -> None:
        with pytest.raises(NoMatchingModelError) as caught:
            three.resolve({"identifier": "nope"}, "llm")

        assert caught.value.title == "No loaded model satisfies the requirements"
        assert caught.value.display_data == {
            "code": "generic.noModelMatchingQuery",
            "query": {"domain": "llm", "identifier": "nope"},
            "loadedModelsSample": ["one", "two"],
            "totalLoadedModels": 2,
        }

    def test_nothing_loaded(self, registry: ModelRegistry) -> None:
        with pytest.raises(NoMatchingModelError) as caught:
            registry.resolve({}, "llm")

        assert caught.value.cause == "No model is loaded."

    @pytest.mark.parametrize("query", [{"identifier": "three"}, {"path": "acme/vectors-GGUF"}])
    def test_a_model_of_another_domain(self, three: ModelRegistry, query: dict[str, Any]) -> None:
        with pytest.raises(DomainMismatchError) as caught:
            three.resolve(query, "llm")

        assert caught.value.display_data is not None
        assert caught.value.display_data["actualDomain"] == "embedding"

    def test_by_reference(self, three: ModelRegistry) -> None:
        two = three.resolve({"identifier": "two"}, "llm")

        assert three.by_reference(two.instance_reference, "llm") is two

    def test_a_reference_does_not_move_to_the_next_instance(self, three: ModelRegistry) -> None:
        one = three.resolve({"identifier": "one"}, "llm")
        three.unload("one", "llm")

        with pytest.raises(InstanceUnloadedError) as caught:
            three.by_reference(one.instance_reference, "llm")
        assert caught.value.display_data == {"code": "generic.specificModelUnloaded"}

    def test_a_reference_to_another_domain(self, three: ModelRegistry) -> None:
        three_reference = three.loaded("embedding")[0].instance_reference

        with pytest.raises(DomainMismatchError):
            three.by_reference(three_reference, "llm")


class TestUse:
    async def test_an_instance_was_never_used_at_first(self, registry: ModelRegistry) -> None:
        assert (await loaded(registry.load("tiny", "llm"))).last_used_ms is None

    async def test_use_is_noted_at_its_begin_and_end(
        self, registry: ModelRegistry, clock: JumpingClock
    ) -> None:
        tiny = await loaded(registry.load("tiny", "llm"))
        with registry.using(tiny):
            assert tiny.last_used_ms == clock.unix_ms()
            clock.advance(5)

        assert tiny.last_used_ms == clock.unix_ms()

    async def test_what_was_unloaded_cannot_be_used(self, registry: ModelRegistry) -> None:
        tiny = await loaded(registry.load("tiny", "llm"))
        registry.unload("tiny", "llm")

        with pytest.raises(InstanceUnloadedError), registry.using(tiny):
            pass

    async def test_unloading_stops_what_runs(self, registry: ModelRegistry) -> None:
        tiny = await loaded(registry.load("tiny", "llm"))
        with registry.using(tiny) as first, registry.using(tiny, Cancellation()) as second:
            registry.unload("tiny", "llm")

            assert first.reason == second.reason == "modelUnloaded"

    async def test_unloading_what_is_not_there(self, registry: ModelRegistry) -> None:
        await loaded(registry.load("tiny", "llm"))
        with pytest.raises(IdentifierNotFoundError) as caught:
            registry.unload("nope", "llm")

        assert caught.value.display_data == {
            "code": "generic.identifierNotFound",
            "identifier": "nope",
            "loadedModelsSample": ["tiny"],
            "totalLoadedModels": 1,
        }

    async def test_unloading_in_the_wrong_namespace_or_device(self, registry: ModelRegistry) -> None:
        await loaded(registry.load("tiny", "llm"))

        with pytest.raises(DomainMismatchError):
            registry.unload("tiny", "embedding")
        with pytest.raises(DeviceNotFoundError):
            registry.unload("tiny", "llm", device_identifier="attic")
        assert identifiers(registry) == ["tiny"]


class TestTimeToLive:
    async def test_is_idle_time(self, registry: ModelRegistry, clock: JumpingClock) -> None:
        tiny = await loaded(registry.get_or_load("tiny", "llm", ttl_ms=1000))
        clock.advance(0.9)
        with registry.using(tiny):
            pass
        clock.advance(0.9)
        assert identifiers(registry) == ["tiny"]
        clock.advance(0.2)

        assert identifiers(registry) == []
        with pytest.raises(EmulatorError):
            registry.by_reference(tiny.instance_reference, "llm")

    async def test_does_not_end_while_in_use(self, registry: ModelRegistry, clock: JumpingClock) -> None:
        tiny = await loaded(registry.get_or_load("tiny", "llm", ttl_ms=1000))
        with registry.using(tiny):
            clock.advance(3600)
            assert identifiers(registry) == ["tiny"]
        assert identifiers(registry) == ["tiny"]

    async def test_none_is_for_ever(self, registry: ModelRegistry, clock: JumpingClock) -> None:
        await loaded(registry.get_or_load("tiny", "llm"))
        clock.advance(10**9)

        assert identifiers(registry) == ["tiny"]

    async def test_an_expired_model_is_loaded_again(
        self, registry: ModelRegistry, clock: JumpingClock
    ) -> None:
        first = await loaded(registry.get_or_load("tiny", "llm", ttl_ms=1000))
        clock.advance(2)
        second = await loaded(registry.get_or_load("tiny", "llm"))

        assert second.identifier == "tiny"
        assert second.instance_reference != first.instance_reference
