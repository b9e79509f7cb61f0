"""Models are loaded, with progress, at the same time, half way, and others make room."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import attrs
import pytest

from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.errors import (
    DeviceNotFoundError,
    DomainMismatchError,
    IdentifierTakenError,
    LoadFailedError,
    ModelNotFoundError,
)
from lmwire_emulator.faults import CloseWithoutResult, DropTheConnection, Fail, Hang, LoadFault
from lmwire_emulator.kv_config import ConfigLayer, Field
from lmwire_emulator.load_events import (
    AlreadyLoaded,
    ConnectionDropped,
    Loaded,
    LoadEvent,
    LoadProgress,
    Resolved,
    StartLoading,
    UnloadingOther,
)
from lmwire_emulator.models import LoadPlan
from lmwire_emulator.registry import ModelRegistry
from tests.emulator.catalogues import (
    CATALOGUE,
    SMALL_Q8,
    TINY,
    events_of,
    identifiers,
    loaded,
)
from tests.emulator.clocks import JumpingClock, StandingClock


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
        slow = attrs.evolve(TINY, loading=LoadPlan(progress=(0.5, 1.0), delay=1.5))
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
        slow = attrs.evolve(TINY, loading=LoadPlan(delay=1))
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


class TestLoadsThatGoWrong:
    @staticmethod
    def registry_of(plan: LoadPlan) -> ModelRegistry:
        return ModelRegistry([attrs.evolve(TINY, loading=plan)])

    @pytest.mark.parametrize(
        ("fault", "last"),
        [(CloseWithoutResult(), LoadProgress(0.5)), (DropTheConnection(), ConnectionDropped())],
    )
    async def test_without_a_result(self, fault: LoadFault, last: LoadEvent) -> None:
        registry = self.registry_of(LoadPlan(progress=(0.0, 0.5), fault=fault))

        assert (await events_of(registry.get_or_load("tiny", "llm")))[-1] == last
        assert registry.loaded() == []

    async def test_a_load_that_hangs_can_be_cancelled(self) -> None:
        registry = self.registry_of(LoadPlan(progress=(0.5,), fault=Hang()))
        cancellation = Cancellation()
        events = registry.load("tiny", "llm", cancellation=cancellation)
        while await anext(events) != LoadProgress(0.5):
            pass
        cancellation.cancel()

        assert [event async for event in events] == []
        assert registry.loaded() == []

    async def test_a_load_that_is_refused_at_once_evicts_nothing(self) -> None:
        big = attrs.evolve(SMALL_Q8, loading=LoadPlan(progress=(), fault=Fail("too large")))
        registry = ModelRegistry([TINY, big])
        await loaded(registry.get_or_load("tiny", "llm"))
        seen: list[LoadEvent] = []

        async def load() -> None:
            async for event in registry.get_or_load("small", "llm"):
                seen.append(event)

        with pytest.raises(LoadFailedError, match="too large"):
            await load()
        assert seen == []
        assert identifiers(registry) == ["tiny"]

    async def test_the_next_load_has_a_plan_of_its_own(self) -> None:
        plans = [LoadPlan(fault=Fail(None)), LoadPlan()]
        registry = ModelRegistry([TINY], plan_of=lambda model: plans.pop(0))

        with pytest.raises(LoadFailedError, match="Unknown error"):
            await events_of(registry.load("tiny", "llm"))
        assert (await loaded(registry.load("tiny", "llm"))).identifier == "tiny"


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
        registry = ModelRegistry([attrs.evolve(TINY, loading=LoadPlan(delay=9))], clock=clock)
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
