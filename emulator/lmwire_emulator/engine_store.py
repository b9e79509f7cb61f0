"""Inference engines as the emulator knows them: installed ones, selected ones, and what else there is to download."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from lmwire_emulator.errors import EmulatorError

__all__ = ["EXTENSIONS", "EngineStore", "Extension"]


@attrs.frozen(kw_only=True)
class Extension:
    """An engine, or a framework that engines need.

    Attributes:
        engine: Which engine it is a build of, None for a framework.
        formats: The model formats that it runs.
        gpu: The framework of the GPU that it uses, None for none.
        compatible: Whether it runs on the invented machine.
        channel: Where it is published.
    """

    name: str
    version: str
    engine: str | None
    formats: tuple[str, ...] = ()
    gpu: str | None = None
    compatible: bool = True
    channel: str = "stable"
    size_bytes: int = 30_000_000

    @property
    def specifier(self) -> tuple[str, str]:
        """Name and version."""
        return self.name, self.version


_NGRAM: Final = "ngram-linux-x86_64-avx2"

EXTENSIONS: Final = (
    Extension(name=_NGRAM, version="1.0.0", engine="ngram", formats=("GGUF",)),
    Extension(name=_NGRAM, version="1.1.0", engine="ngram", formats=("GGUF",)),
    Extension(name=_NGRAM, version="1.2.0-beta.1", engine="ngram", formats=("GGUF",), channel="beta"),
    Extension(name="ngram-linux-x86_64-cuda", version="1.1.0", engine="ngram", formats=("GGUF",), gpu="CUDA"),
    Extension(name="hashing-linux-x86_64", version="1.0.0", engine="hashing", formats=("GGUF", "MLX")),
    Extension(name="mlx-mac-arm64", version="0.9.0", engine="mlx", formats=("MLX",), compatible=False),
    Extension(name="cuda-runtime-linux-x86_64", version="12.8.0", engine=None, gpu="CUDA"),
)


class EngineStore:
    """Installed extensions, and the engine that is selected for each model format."""

    def __init__(self, extensions: Iterable[Extension] = EXTENSIONS) -> None:
        self.known = tuple(extensions)
        self.installed: dict[tuple[str, str], Extension] = {}
        self.selected: dict[str, tuple[str, str]] = {}
        for specifier in ((_NGRAM, "1.0.0"), ("hashing-linux-x86_64", "1.0.0")):
            self._install(self.find(*specifier))

    @property
    def engines(self) -> list[Extension]:
        """The installed engines."""
        return [extension for extension in self.installed.values() if extension.engine is not None]

    def find(self, name: str, version: str) -> Extension:
        """Return an extension, installed or not.

        Raises:
            EmulatorError: There is none.
        """
        for extension in self.known:
            if extension.specifier == (name, version):
                return extension
        raise EmulatorError(
            f"There is no runtime extension {name} {version}",
            cause=f"Known are: {'; '.join(' '.join(one.specifier) for one in self.known)}.",
        )

    def find_installed(self, name: str, version: str) -> Extension:
        """Return an installed engine.

        Raises:
            EmulatorError: It is not installed.
        """
        extension = self.installed.get((name, version))
        if extension is None or extension.engine is None:
            raise EmulatorError(
                f"The engine {name} {version} is not installed",
                cause=f"Installed are: {'; '.join(' '.join(one.specifier) for one in self.engines)}.",
                suggestion="Download it first (runtime.downloadRuntimeExtension).",
            )
        return extension

    def install(self, extension: Extension, *, update_selections: bool) -> None:
        """Install an extension; selections of other versions of it move to it if that is wanted."""
        self._install(extension)
        if update_selections:
            moved = {
                name: extension.specifier for name, (of, _) in self.selected.items() if of == extension.name
            }
            self.selected.update(moved)

    def _install(self, extension: Extension) -> None:
        self.installed[extension.specifier] = extension
        for name in extension.formats:
            self.selected.setdefault(name, extension.specifier)

    def select(self, name: str, version: str, model_format: str) -> None:
        """Select an installed engine for a model format.

        Raises:
            EmulatorError: It is not installed, or does not run that format.
        """
        extension = self.find_installed(name, version)
        if model_format not in extension.formats:
            raise EmulatorError(
                f"The engine {name} does not run {model_format}",
                cause=f"It runs {', '.join(extension.formats)}.",
            )
        self.selected[model_format] = extension.specifier

    def remove(self, name: str, version: str) -> None:
        """Delete an engine; formats for which it was selected have none.

        Raises:
            EmulatorError: It is not installed.
        """
        extension = self.find_installed(name, version)
        del self.installed[extension.specifier]
        self.selected = {key: value for key, value in self.selected.items() if value != extension.specifier}

    def search(self, query: str, channel: str | None, *, incompatible: bool) -> list[Extension]:
        """Return the extensions that a query finds: ``name``, ``name:filter``, ``:filter`` or ``name@version``."""
        named, at, version = query.partition("@")
        name, _, wanted = named.partition(":")
        channels = ("stable",) if channel is None else ("stable", channel)
        return [
            extension
            for extension in self.known
            if name.lower() in extension.name
            and wanted.lower() in " ".join((extension.name, *extension.formats, extension.gpu or "")).lower()
            and (extension.version == version if at else extension.channel in channels)
            and (incompatible or extension.compatible)
        ]

    def versions(self, name: str) -> list[str]:
        """Return the installed versions of an extension."""
        return [extension.version for extension in self.installed.values() if extension.name == name]

    def surveyed(self, scope: Sequence[tuple[str, str]] | None, *, everything: bool) -> list[Extension]:
        """Return the engines that a survey is about: those named, all that are installed, or the selected ones.

        Raises:
            EmulatorError: One of those named is not installed.
        """
        if scope is not None:
            return [self.find_installed(*specifier) for specifier in scope]
        if everything:
            return self.engines
        selected: Mapping[tuple[str, str], None] = dict.fromkeys(self.selected.values())
        return [self.installed[specifier] for specifier in selected]
