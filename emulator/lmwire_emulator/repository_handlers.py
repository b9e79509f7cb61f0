"""The namespace ``repository``: the Hub is searched, things are downloaded and published, accounts sign in and out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from lmwire import UNSET, repository
from lmwire_emulator.download_plans import DownloadPlanner, fit_of
from lmwire_emulator.downloads import Downloader, DownloadPackets
from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.hub import DownloadableModel, Hub
from lmwire_emulator.model_handlers import cancelled_by, or_none
from lmwire_emulator.models import Model
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.wire_values import error_replies
from lmwire_runtime.server import RequestContext, ServerChannel

__all__ = ["EmulatedRepository"]

_MOST_RESULTS: Final = 25
_MANIFEST: Final = "manifest.json"


class EmulatedRepository(repository.RepositoryHandlers):
    """Handlers on the Hub; what is downloaded goes into the registry.

    ``unknown`` are packets, by message class, that servers of this generation do not send.
    """

    model_packets: ClassVar = DownloadPackets(
        repository.DownloadModelDownloadProgress, repository.DownloadModelStartFinalizing
    )
    artifact_packets: ClassVar = DownloadPackets(
        repository.DownloadArtifactDownloadProgress, repository.DownloadArtifactStartFinalizing
    )

    def __init__(
        self,
        registry: ModelRegistry,
        downloader: Downloader,
        hub: Hub | None = None,
        unknown: frozenset[str] = frozenset(),
    ) -> None:
        self._registry = registry
        self._unknown = unknown
        self._downloader = downloader
        self.hub = Hub() if hub is None else hub

    # Models.

    async def search_models(
        self, parameter: repository.SearchModelsParameter, context: RequestContext
    ) -> repository.SearchModelsResult:
        options = parameter.opts
        term = or_none(options.search_term) or ""
        limit = or_none(options.limit) or _MOST_RESULTS
        found = self.hub.search(term, or_none(options.compatibility_types), limit)
        return repository.SearchModelsResult(results=[_entry(model, term) for model in found])

    async def get_model_download_options(
        self, parameter: repository.GetModelDownloadOptionsParameter, context: RequestContext
    ) -> repository.GetModelDownloadOptionsResult:
        identifier = parameter.model_search_result_identifier.to_wire()["identifier"]
        with error_replies():
            model = self.hub.model(identifier)
        return repository.GetModelDownloadOptionsResult(
            results=[
                _download_option(option, recommended=not place) for place, option in enumerate(model.options)
            ]
        )

    async def get_model_catalog(self, context: RequestContext) -> repository.GetModelCatalogResult:
        return repository.GetModelCatalogResult(models=[_hub_model(model) for model in self.hub.models])

    async def fuzzy_find_staff_picks(
        self, parameter: repository.FuzzyFindStaffPicksParameter, context: RequestContext
    ) -> repository.FuzzyFindStaffPicksResult:
        term, formats = or_none(parameter.search_term), or_none(parameter.compatibility_types)
        found = self.hub.staff_picks_like(term, or_none(parameter.limit) or _MOST_RESULTS)
        return repository.FuzzyFindStaffPicksResult(
            results=[
                repository.FuzzyFindStaffPicksResultResultsItem(
                    owner=model.owner,
                    name=model.name,
                    revision_number=1,
                    created_at_timestamp=model.staff_picked_at or 0,
                    description=model.description,
                    exact=model.name == term,
                )
                for model in found
                if formats is None or set(formats) & set(model.formats)
            ]
        )

    async def download_model(
        self,
        creation: repository.DownloadModelCreation,
        channel: ServerChannel[repository.DownloadModelToServer, repository.DownloadModelToClient],
    ) -> None:
        async with cancelled_by(channel) as cancellation:
            option = self.hub.option(creation.download_identifier)
            if await self._downloader.run(option.size_bytes, channel, self.model_packets, cancellation):
                self._registry.add(option)
                await channel.send(repository.DownloadModelSuccess(default_identifier=option.model_key))

    async def create_download_plan(
        self,
        creation: repository.CreateDownloadPlanCreation,
        channel: ServerChannel[repository.CreateDownloadPlanToServer, repository.CreateDownloadPlanToClient],
    ) -> None:
        with error_replies():
            await DownloadPlanner(self.hub, self._registry, self._downloader, creation).run(channel)

    # Artifacts.

    async def download_artifact(
        self,
        creation: repository.DownloadArtifactCreation,
        channel: ServerChannel[repository.DownloadArtifactToServer, repository.DownloadArtifactToClient],
    ) -> None:
        async with cancelled_by(channel) as cancellation:
            artifact = self.hub.artifact(
                creation.artifact_owner, creation.artifact_name, creation.revision_number
            )
            if await self._downloader.run(artifact.size_bytes, channel, self.artifact_packets, cancellation):
                self.hub.folders[creation.path] = artifact.files
                await channel.send(repository.DownloadArtifactSuccess())

    async def push_artifact(
        self,
        creation: repository.PushArtifactCreation,
        channel: ServerChannel[None, repository.PushArtifactToClient],
    ) -> None:
        with error_replies():
            files = self.hub.folder(creation.path)
            if not self.hub.owners:
                raise EmulatorError(
                    "You are not signed in to the Hub",
                    suggestion="Sign in first (repository.ensureAuthenticated).",
                )
            name = json.loads(_manifest(creation.path, files))["name"]
        for message in (f"Uploading {len(files)} files", f"Published {self.hub.owners[0]}/{name}"):
            await channel.send(repository.PushArtifactMessage(message=message))
        self.hub.pushed.append((creation.path, or_none(creation.description)))

    async def get_local_artifact_files(
        self, parameter: repository.GetLocalArtifactFilesParameter, context: RequestContext
    ) -> repository.GetLocalArtifactFilesResult:
        with error_replies():
            files = self.hub.folder(parameter.path)
        entries = [
            repository.LocalArtifactFileEntry(relative_path=name, size_bytes=len(content))
            for name, content in files.items()
        ]
        return repository.GetLocalArtifactFilesResult(
            file_list=repository.LocalArtifactFileList(files=entries, used_ignore_file=None)
        )

    async def install_plugin_dependencies(
        self, parameter: repository.InstallPluginDependenciesParameter, context: RequestContext
    ) -> None:
        with error_replies():
            _manifest(parameter.plugin_folder, self.hub.folder(parameter.plugin_folder))
        self.hub.dependencies_installed.append(parameter.plugin_folder)

    async def install_local_plugin(
        self, parameter: repository.InstallLocalPluginParameter, context: RequestContext
    ) -> None:
        with error_replies():
            _manifest(parameter.plugin_path, self.hub.folder(parameter.plugin_path))
        self.hub.plugins_installed.append(parameter.plugin_path)

    async def get_writable_artifact_owners(
        self, context: RequestContext
    ) -> repository.GetWritableArtifactOwnersResult:
        return repository.GetWritableArtifactOwnersResult(owners=self.hub.owners)

    # Accounts.

    async def is_authenticated(self, context: RequestContext) -> repository.IsAuthenticatedResult:
        return repository.IsAuthenticatedResult(authenticated=self.hub.signed_in)

    async def get_authentication_status(
        self, context: RequestContext
    ) -> repository.GetAuthenticationStatusResult:
        return repository.GetAuthenticationStatusResult(authentication_status=self.hub.account)

    async def deauthenticate(self, context: RequestContext) -> None:
        self.hub.sign_out()

    async def login_as_compute_device(
        self, parameter: repository.LoginAsComputeDeviceParameter, context: RequestContext
    ) -> repository.ComputeDeviceAuthenticationStatus:
        return self.hub.become_compute_device()

    async def login_with_pre_authenticated_keys(
        self, parameter: repository.LoginWithPreAuthenticatedKeysParameter, context: RequestContext
    ) -> repository.LoginWithPreAuthenticatedKeysResult:
        return repository.LoginWithPreAuthenticatedKeysResult(user_name=self.hub.sign_in().user_name)

    async def ensure_authenticated(
        self, channel: ServerChannel[None, repository.EnsureAuthenticatedToClient]
    ) -> None:
        if not self.hub.signed_in:
            url = "https://hub.invalid/activate"
            code = repository.EnsureAuthenticatedAuthenticationCode(
                code="EMUL-ATED", manual_url=url, filled_url=f"{url}?code=EMUL-ATED"
            )
            if type(code).__name__ not in self._unknown:
                await channel.send(code)
            self.hub.sign_in()  # whoever emulates a server emulates its user, too
        await channel.send(repository.EnsureAuthenticatedAuthenticated())

    # LM Link.

    async def lm_link_status(self, context: RequestContext) -> repository.LmLinkStatusResult:
        link = self.hub.link
        issues: list[repository.LmLinkIssue] = [
            *(["deviceDisabled"] if link.disabled else []),
            *([] if self.hub.signed_in else ["notLoggedIn"]),
        ]
        peers = {} if issues else link.peers
        return repository.LmLinkStatusResult(
            status="offline" if issues else "online",
            issues=issues,
            peers=[
                repository.LmLinkPeer(device_identifier=identifier, device_name=name, status="connected")
                for identifier, name in peers.items()
            ],
            device_identifier=None if issues else "emulator",
            device_name=link.device_name,
            preferred_device_identifier=UNSET if link.preferred is None else link.preferred,
        )

    async def lm_link_set_disabled(
        self, parameter: repository.LmLinkSetDisabledParameter, context: RequestContext
    ) -> None:
        self.hub.link.disabled = parameter.disabled

    async def lm_link_update_device_name(
        self, parameter: repository.LmLinkUpdateDeviceNameParameter, context: RequestContext
    ) -> None:
        self.hub.link.device_name = parameter.device_name

    async def lm_link_set_preferred_device(
        self, parameter: repository.LmLinkSetPreferredDeviceParameter, context: RequestContext
    ) -> None:
        with error_replies():
            if parameter.device_identifier not in self.hub.link.peers:
                raise EmulatorError(f'There is no device "{parameter.device_identifier}"')
        self.hub.link.preferred = parameter.device_identifier


def _manifest(path: str, files: Any) -> bytes:
    if _MANIFEST not in files:
        raise EmulatorError(f'"{path}" has no {_MANIFEST}')
    content: bytes = files[_MANIFEST]
    return content


def _entry(model: DownloadableModel, term: str) -> repository.ModelSearchResultEntryData:
    return repository.ModelSearchResultEntryData(
        name=model.address,
        identifier=repository.ModelSearchResultIdentifierCatalog(identifier=model.address),
        exact=model.name == term or UNSET,
        staff_pick=model.staff_picked_at is not None or UNSET,
    )


def _download_option(option: Model, *, recommended: bool) -> repository.ModelSearchResultDownloadOptionData:
    return repository.ModelSearchResultDownloadOptionData(
        name=option.display_name,
        size_bytes=option.size_bytes,
        fit_estimation=fit_of(option),
        download_identifier=option.model_key,
        indexed_model_identifier=option.path,
        compatibility_type=option.format,
        quantization=UNSET if option.quantization is None else option.quantization.name,
        recommended=recommended or UNSET,
    )


def _hub_model(model: DownloadableModel) -> repository.HubModel:
    options: Sequence[Model] = model.options
    facts: dict[str, Any] = {
        "architectures": sorted({option.architecture or "" for option in options}),
        "compatibility_types": model.formats,
        "params_strings": sorted({option.params_string or "" for option in options}),
        "min_memory_usage_bytes": min(option.size_bytes for option in options),
        "context_lengths": sorted({option.max_context_length for option in options}),
    }
    metadata: repository.HubModelMetadata = (
        repository.HubModelMetadataEmbedding(**facts)
        if options[0].domain == "embedding"
        else repository.HubModelMetadataLlm(
            trained_for_tool_use=options[0].trained_for_tool_use,
            vision=options[0].vision,
            reasoning=False,
            **facts,
        )
    )
    return repository.HubModel(
        owner=model.owner,
        name=model.name,
        description=model.description,
        downloads=model.downloads,
        like_count=model.likes,
        metadata=metadata,
        staff_picked_at=UNSET if model.staff_picked_at is None else model.staff_picked_at,
    )
