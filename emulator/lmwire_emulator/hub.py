"""The Hub as the emulator knows it: models and artifacts to be had, who is signed in, LM Link. All is invented."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from lmwire.types.accounts import (
    AuthenticationStatus,
    ComputeDeviceAuthenticationStatus,
    LoggedInUserAuthenticationStatus,
    NoAuthenticationStatus,
)
from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.models import Model, Quantization

__all__ = ["ARTIFACTS", "DOWNLOADABLE", "Artifact", "DownloadableModel", "Hub", "LmLink"]

_MEGABYTE: Final = 1_000_000
_JULY_2026: Final = 1_782_864_000_000


@attrs.frozen(kw_only=True)
class DownloadableModel:
    """A model that can be downloaded, in one or more quantizations.

    Attributes:
        owner, name: What its address is made of.
        options: What can be downloaded; the first one is recommended.
        staff_picked_at: Milliseconds since 1970, None if it is no staff pick.
    """

    owner: str
    name: str
    description: str
    options: Sequence[Model]
    downloads: int = 0
    likes: int = 0
    staff_picked_at: int | None = None

    @property
    def address(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    @property
    def formats(self) -> list[str]:
        """The file formats that there are."""
        return list(dict.fromkeys(option.format for option in self.options))


@attrs.frozen(kw_only=True)
class Artifact:
    """Something on the Hub that is no model: its files by relative path, and the models that it needs."""

    owner: str
    name: str
    kind: str
    revision: int
    files: Mapping[str, bytes]
    models: Sequence[str] = ()

    @property
    def size_bytes(self) -> int:
        """How large all files are together."""
        return sum(map(len, self.files.values()))


@attrs.define
class LmLink:
    """The link to other devices of the same account; there is one, in thought."""

    device_name: str = "Emulator"
    disabled: bool = False
    preferred: str | None = None
    peers: Mapping[str, str] = attrs.field(factory=lambda: {"emulated-desktop": "Emulated Desktop"})


def _option(name: str, quantization: str, bits: int, megabytes: int, **facts: object) -> Model:
    suffix = quantization.lower()
    model = Model(
        model_key=f"emulator/{name}@{suffix}",
        path=f"emulator/{name}-GGUF/{name}-{quantization}.gguf",
        display_name=name.replace("-", " ").title(),
        publisher="emulator",
        format="gguf",
        size_bytes=megabytes * _MEGABYTE,
        domain="llm",
        max_context_length=32_768,
        params_string="1M",
        architecture="ngram",
        quantization=Quantization(name=quantization, bits=bits),
        engine="ngram",
    )
    return attrs.evolve(model, **facts)  # type: ignore[arg-type]  # fields of a model


DOWNLOADABLE: Final = (
    DownloadableModel(
        owner="emulator",
        name="ngram-large",
        description="Longer memory, the same small vocabulary.",
        options=(
            _option("ngram-large", "Q4_K_M", 4, 12),
            _option("ngram-large", "Q8_0", 8, 20),
            _option("ngram-large", "F16", 16, 90),
        ),
        downloads=1_200,
        likes=40,
        staff_picked_at=_JULY_2026,
    ),
    DownloadableModel(
        owner="emulator",
        name="ngram-mlx",
        description="Made for other chips.",
        options=(
            _option(
                "ngram-mlx",
                "4bit",
                4,
                9,
                format="safetensors",
                path="emulator/ngram-mlx/model.safetensors",
                trained_for_tool_use=True,
            ),
        ),
        downloads=300,
        likes=9,
    ),
    DownloadableModel(
        owner="emulator",
        name="embed-large",
        description="Vectors of texts.",
        options=(
            _option("embed-large", "F16", 16, 8, domain="embedding", architecture="hashing", engine=None),
        ),
        downloads=800,
        likes=21,
        staff_picked_at=_JULY_2026,
    ),
)

_MANIFEST: Final = (
    b'{"type": "plugin", "runner": "node", "owner": "emulator", "name": "calculator", "revision": 3}'
)

ARTIFACTS: Final = (
    Artifact(
        owner="emulator",
        name="calculator",
        kind="plugin",
        revision=3,
        files={"manifest.json": _MANIFEST, "src/index.js": b"exports.add = (a, b) => a + b\n"},
        models=("emulator/ngram-large",),
    ),
)


class Hub:
    """What there is to download, and the state of an account on this machine.

    Attributes:
        account: Who is signed in.
        link: LM Link.
        folders: Folders of this machine that hold artifacts, by path; no real folder is ever looked at.
        dependencies_installed, plugins_installed: Paths for which that was asked.
        pushed: What was published: path and description.
    """

    user_name: Final = "emulated-user"

    def __init__(
        self,
        models: Iterable[DownloadableModel] = DOWNLOADABLE,
        artifacts: Iterable[Artifact] = ARTIFACTS,
    ) -> None:
        self.models = tuple(models)
        self.artifacts = tuple(artifacts)
        self.account: AuthenticationStatus = NoAuthenticationStatus()
        self.link = LmLink()
        self.folders: dict[str, Mapping[str, bytes]] = {}
        self.dependencies_installed: list[str] = []
        self.plugins_installed: list[str] = []
        self.pushed: list[tuple[str, str | None]] = []

    @property
    def signed_in(self) -> bool:
        """Whether anybody is."""
        return not isinstance(self.account, NoAuthenticationStatus)

    @property
    def owners(self) -> list[str]:
        """Under which names the account may publish."""
        if isinstance(self.account, LoggedInUserAuthenticationStatus):
            return [self.account.user_name, "emulated-organization"]
        return []

    def sign_in(self) -> LoggedInUserAuthenticationStatus:
        """Sign the one user in."""
        self.account = status = LoggedInUserAuthenticationStatus(user_name=self.user_name)
        return status

    def become_compute_device(self) -> ComputeDeviceAuthenticationStatus:
        """Make this machine a compute device of the one user."""
        self.account = status = ComputeDeviceAuthenticationStatus(
            owner_username=self.user_name, owner_is_organization=False
        )
        return status

    def sign_out(self) -> None:
        """Sign out."""
        self.account = NoAuthenticationStatus()

    def search(self, term: str, formats: Sequence[str] | None, limit: int) -> list[DownloadableModel]:
        """Return the models with this term in their address, exact matches first; without a term, staff picks first."""
        fitting = [
            model
            for model in self.models
            if term.lower() in model.address and (formats is None or set(formats) & set(model.formats))
        ]
        fitting.sort(key=lambda model: (model.name != term, model.staff_picked_at is None, -model.downloads))
        return fitting[:limit]

    def staff_picks_like(self, term: str | None, limit: int) -> list[DownloadableModel]:
        """Return the staff picks whose names are like a term, the most alike first."""
        picks = {model.name: model for model in self.models if model.staff_picked_at is not None}
        if not term:
            return list(picks.values())[:limit]
        return [picks[name] for name in difflib.get_close_matches(term.lower(), picks, n=limit, cutoff=0.4)]

    def model(self, address: str) -> DownloadableModel:
        """Return the model at an address, ``owner/name``.

        Raises:
            EmulatorError: There is none.
        """
        for model in self.models:
            if address in (model.address, model.name):
                return model
        raise _not_found("model", address, [model.address for model in self.models])

    def option(self, download_identifier: str) -> Model:
        """Return what a download identifier names.

        Raises:
            EmulatorError: Nothing.
        """
        options = {option.model_key: option for model in self.models for option in model.options}
        if download_identifier not in options:
            raise _not_found("download", download_identifier, list(options))
        return options[download_identifier]

    def artifact(self, owner: str, name: str, revision: int | None = None) -> Artifact:
        """Return an artifact, its newest revision if none is named.

        Raises:
            EmulatorError: There is none.
        """
        for artifact in self.artifacts:
            if (artifact.owner, artifact.name) == (owner, name) and revision in (None, artifact.revision):
                return artifact
        what = f"{owner}/{name}" + ("" if revision is None else f", revision {revision}")
        known = [f"{one.owner}/{one.name}, revision {one.revision}" for one in self.artifacts]
        raise _not_found("artifact", what, known)

    def folder(self, path: str) -> Mapping[str, bytes]:
        """Return the files of a folder.

        Raises:
            EmulatorError: There is no such folder.
        """
        if path not in self.folders:
            raise EmulatorError(
                f'There is no folder "{path}"',
                cause="The emulator knows no folders but those that artifacts were downloaded to.",
            )
        return self.folders[path]


def _not_found(what: str, wanted: str, known: Sequence[str]) -> EmulatorError:
    return EmulatorError(
        f'Cannot find the {what} "{wanted}" on the Hub', cause=f"The emulator's Hub has: {'; '.join(known)}."
    )
