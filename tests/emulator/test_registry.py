"""Models are found, used, kept as long as they shall be, and unloaded."""

from __future__ import annotations

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
    InstanceUnloadedError,
    ModelNotFoundError,
    NoMatchingModelError,
)
from lmwire_emulator.models import Model
from lmwire_emulator.registry import ModelRegistry
from tests.emulator.catalogues import (
    CATALOGUE,
    TINY,
    identifiers,
    loaded,
)
from tests.emulator.clocks import JumpingClock


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
