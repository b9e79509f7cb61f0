"""Failures that the emulator reports to a client.

    EmulatorError
     ├── ModelNotFoundError       no downloaded model has this key or path         generic.pathNotFound
     ├── NoMatchingModelError     no loaded model matches a query                  generic.noModelMatchingQuery
     ├── IdentifierNotFoundError  no loaded model has this identifier              generic.identifierNotFound
     ├── InstanceUnloadedError    the instance of a reference is gone              generic.specificModelUnloaded
     ├── DomainMismatchError      the model is of another namespace                generic.domainMismatch
     ├── PresetNotFoundError      no preset is like this                           generic.presetNotFound
     ├── UnsupportedFeatureError  the engine cannot do this                        generic.engineDoesNotSupportFeature
     ├── DeviceNotFoundError      a device other than this one was asked for
     ├── IdentifierTakenError     a loaded model has this identifier already
     ├── LoadFailedError          a model was made to fail while loading
     └── PredictionFailedError    a prediction was made to fail

Each knows what an error object on the wire needs, ``title``, ``cause``, ``suggestion``, ``display_data`` (in wire
spelling, None if there is none), and the whole of it, ``wire``. Nothing here knows how it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "DeviceNotFoundError",
    "DomainMismatchError",
    "EmulatorError",
    "IdentifierNotFoundError",
    "IdentifierTakenError",
    "InstanceUnloadedError",
    "LoadFailedError",
    "ModelNotFoundError",
    "NoMatchingModelError",
    "PredictionFailedError",
    "PresetNotFoundError",
    "UnsupportedFeatureError",
]

SAMPLE: Final = 5
"""How many names an error lists at most, as upstream does."""


class EmulatorError(Exception):
    """Root of all failures that a client gets to see.

    Args:
        title: What went wrong, in one line (wire: ``title`` and ``rootTitle``).
        cause: Why, None if the title says it all.
        suggestion: What the user can do, None if nothing.
        display_data: The machine-readable reason with its ``code``, in wire spelling.
    """

    def __init__(
        self,
        title: str,
        *,
        cause: str | None = None,
        suggestion: str | None = None,
        display_data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__("\n".join(filter(None, (title, cause, suggestion))))
        self.title = title
        self.cause = cause
        self.suggestion = suggestion
        self.display_data = display_data
        facts = {"title": title, "cause": cause, "suggestion": suggestion, "displayData": display_data}
        self.wire: Any = {
            **{key: fact for key, fact in facts.items() if fact is not None},
            "rootTitle": title,
        }

    @classmethod
    def told(cls, error: Mapping[str, Any] | str | None) -> Self:
        """Make a failure of what somebody wants to be sent: an error object in wire spelling, bare text, or null."""
        facts: Mapping[str, Any] = (
            error if isinstance(error, Mapping) else {"title": error or "Unknown error"}
        )
        made = cls(
            facts.get("title", "Unknown error"),
            cause=facts.get("cause"),
            suggestion=facts.get("suggestion"),
            display_data=facts.get("displayData"),
        )
        made.wire = {**made.wire, **error} if isinstance(error, Mapping) else error
        return made


class ModelNotFoundError(EmulatorError):
    """No downloaded model has this key or path."""

    def __init__(self, path: str, *, available: Sequence[str]) -> None:
        super().__init__(
            f"Model not found: {path}",
            cause=f'No downloaded model has the key or path "{path}".',
            suggestion="Ask for the list of downloaded models and use a model key of it.",
            display_data={
                "code": "generic.pathNotFound",
                "path": path,
                "availablePathsSample": list(available[:SAMPLE]),
                "totalModels": len(available),
            },
        )
        self.path = path


class NoMatchingModelError(EmulatorError):
    """No loaded model matches a query; ``query`` is in wire spelling and includes the domain that was searched."""

    def __init__(self, query: Mapping[str, Any], *, loaded: Sequence[str]) -> None:
        super().__init__(
            "No loaded model satisfies the requirements",
            cause=None if loaded else "No model is loaded.",
            suggestion="Load a model first."
            if not loaded
            else "Use the identifier of a loaded model, or load the model.",
            display_data={
                "code": "generic.noModelMatchingQuery",
                "query": dict(query),
                "loadedModelsSample": list(loaded[:SAMPLE]),
                "totalLoadedModels": len(loaded),
            },
        )
        self.query = dict(query)


class IdentifierNotFoundError(EmulatorError):
    """No loaded model has this identifier."""

    def __init__(self, identifier: str, *, loaded: Sequence[str]) -> None:
        super().__init__(
            f'No loaded model has the identifier "{identifier}"',
            suggestion="Ask for the list of loaded models and use an identifier of it.",
            display_data={
                "code": "generic.identifierNotFound",
                "identifier": identifier,
                "loadedModelsSample": list(loaded[:SAMPLE]),
                "totalLoadedModels": len(loaded),
            },
        )
        self.identifier = identifier


class InstanceUnloadedError(EmulatorError):
    """The model instance that a client holds a reference to is no longer loaded."""

    def __init__(self, instance_reference: str) -> None:
        super().__init__(
            "The model has been unloaded",
            cause=f"The instance {instance_reference} is no longer loaded.",
            suggestion="Get the model again; that loads it if need be.",
            display_data={"code": "generic.specificModelUnloaded"},
        )
        self.instance_reference = instance_reference


class DomainMismatchError(EmulatorError):
    """The model exists, but belongs to another namespace than the one that was asked."""

    def __init__(self, path: str, *, actual: str, expected: str) -> None:
        super().__init__(
            f"Model {path} is of the domain {actual}, not {expected}",
            suggestion=f"Ask the namespace {actual} for this model, or choose another one.",
            display_data={
                "code": "generic.domainMismatch",
                "path": path,
                "actualDomain": actual,
                "expectedDomain": expected,
            },
        )
        self.path = path
        self.actual = actual
        self.expected = expected


class PresetNotFoundError(EmulatorError):
    """No preset has this identifier or name; ``available`` holds pairs of identifier and name."""

    def __init__(self, identifier: str, *, available: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            f'Cannot find a preset that matches "{identifier}"',
            display_data={
                "code": "generic.presetNotFound",
                "specifiedFuzzyPresetIdentifier": identifier,
                "availablePresetsSample": [
                    {"identifier": key, "name": name} for key, name in available[:SAMPLE]
                ],
                "totalAvailablePresets": len(available),
            },
        )
        self.identifier = identifier


class UnsupportedFeatureError(EmulatorError):
    """An engine was asked for something that it does not do."""

    def __init__(self, feature: str, *, engine: str, version: str) -> None:
        super().__init__(
            f"The engine {engine} does not support {feature}",
            suggestion="Leave the option out, or let the scripted engine give the reply.",
            display_data={
                "code": "generic.engineDoesNotSupportFeature",
                "feature": feature,
                "engineName": engine,
                "engineType": "emulated",
                "installedVersion": version,
                "supportedVersion": None,
            },
        )
        self.feature = feature
        self.engine = engine


class DeviceNotFoundError(EmulatorError):
    """A request names a remote device; the emulator has none."""

    def __init__(self, device_identifier: str) -> None:
        super().__init__(
            f'Unknown device "{device_identifier}"',
            cause="The emulator has no devices but itself.",
            suggestion="Leave the device identifier out, or give null.",
        )
        self.device_identifier = device_identifier


class IdentifierTakenError(EmulatorError):
    """A model was to be loaded under an identifier that a loaded model has already."""

    def __init__(self, identifier: str) -> None:
        super().__init__(
            f'The identifier "{identifier}" is in use',
            cause="Another loaded model has this identifier.",
            suggestion="Choose another identifier, or give none and let the server make one.",
        )
        self.identifier = identifier


class LoadFailedError(EmulatorError):
    """A model that is meant to fail while loading did so."""


class PredictionFailedError(EmulatorError):
    """A prediction that is meant to fail did so."""
