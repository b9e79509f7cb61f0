"""The channel ``createDownloadPlan``: what must be downloaded is found out, the client chooses, then it is downloaded.

A plan's version counts the client's choices only: it becomes the number that the client asked for, whether or not the
choice changed anything.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Final

import attrs

from lmwire import UNSET, repository
from lmwire_emulator.cancellation import Cancellation
from lmwire_emulator.downloads import Downloader, DownloadPackets
from lmwire_emulator.errors import EmulatorError
from lmwire_emulator.hub import Artifact, Hub
from lmwire_emulator.models import Model
from lmwire_emulator.registry import ModelRegistry
from lmwire_emulator.wire_values import MEMORY_BYTES
from lmwire_runtime.server import ServerChannel

__all__ = ["DownloadPlanner", "fit_of"]

Channel = ServerChannel[repository.CreateDownloadPlanToServer, repository.CreateDownloadPlanToClient]

_PACKETS: Final = DownloadPackets(
    repository.CreateDownloadPlanDownloadProgress, repository.CreateDownloadPlanStartFinalizing
)


def fit_of(option: Model) -> repository.ModelSearchResultDownloadOptionDataFitEstimation:
    """Say how a model would fit into the invented machine."""
    return "fullGPUOffload" if option.size_bytes <= MEMORY_BYTES else "willNotFit"


@attrs.define
class _Choice:
    """A model that is needed: what there is of it, and what is chosen; None keeps the copy that is there."""

    label: str
    options: list[Model]
    owned: Model | None
    chosen: int | None


class DownloadPlanner:
    """One plan, from its creation to its end.

    Raises:
        EmulatorError: There is nothing to plan for.
    """

    def __init__(
        self,
        hub: Hub,
        registry: ModelRegistry,
        downloader: Downloader,
        creation: repository.CreateDownloadPlanCreation,
    ) -> None:
        self._hub = hub
        self._registry = registry
        self._downloader = downloader
        self._opts = creation.opts
        self._version = 0
        self._artifact: Artifact | None = None
        target = creation.target
        if isinstance(target, repository.CreateDownloadPlanCreationTargetArtifact):
            self._artifact = hub.artifact(target.owner, target.name)
            addresses = list(self._artifact.models)
        else:
            source = target.to_wire()["source"]
            addresses = [f"{source.get('user')}/{source.get('repo')}"]
        self._choices = [self._choice(address) for address in addresses]

    async def run(self, channel: Channel) -> None:
        """Talk until the plan is carried out or given up."""
        for state in ("pending", "fetching"):
            await channel.send(repository.CreateDownloadPlanPlanUpdated(plan=self._plan(state)))
        await channel.send(repository.CreateDownloadPlanPlanReady(plan=self._plan("satisfied")))
        if not await self._committed(channel):
            return
        cancellation = Cancellation()
        watcher = asyncio.ensure_future(_watch(channel, cancellation))
        try:
            if await self._downloader.run(self._size, channel, _PACKETS, cancellation):
                self._keep()
                await channel.send(repository.CreateDownloadPlanSuccess())
        finally:
            watcher.cancel()

    async def _committed(self, channel: Channel) -> bool:
        """Take choices until the client has made up its mind; returns whether to download."""
        async for packet in channel:
            if isinstance(packet, repository.CreateDownloadPlanCommit):
                return True
            if isinstance(packet, repository.CreateDownloadPlanSetSelectedDownloadOptionIndex):
                self._choose(packet.node_index, packet.selected_download_option_index)
                self._version = max(self._version, packet.requested_plan_version)
                await channel.send(repository.CreateDownloadPlanPlanUpdated(plan=self._plan("satisfied")))
            else:
                break
        return False

    def _choose(self, node: int, index: int | None) -> None:
        place = node - (self._artifact is not None)
        if not 0 <= place < len(self._choices):
            raise EmulatorError(f"Node {node} of the plan has nothing to choose from")
        choice = self._choices[place]
        if choice.owned is None if index is None else not 0 <= index < len(choice.options):
            raise EmulatorError(f"Node {node} of the plan has no download option {index}")
        choice.chosen = index

    def _choice(self, address: str) -> _Choice:
        model = self._hub.model(address)
        keys = {one.model_key: one for one in self._registry.downloaded}
        owned = next((keys[option.model_key] for option in model.options if option.model_key in keys), None)
        formats = None if self._opts is UNSET else self._opts.to_wire().get("compatibilityTypes")
        options = [option for option in model.options if formats is None or option.format in formats]
        if not options:
            raise EmulatorError(
                f"{address} cannot be had in any of these formats: {', '.join(formats or [])}"
            )
        return _Choice(address, options, owned, None if owned else self._preferred(options))

    def _preferred(self, options: list[Model]) -> int:
        wishes = [] if self._opts is UNSET else self._opts.to_wire().get("resolutionPreference", [])
        for wish, (place, option) in itertools.product(wishes, enumerate(options)):
            name = None if option.quantization is None else option.quantization.name
            if wish.get("quantName", name) == name and option.path.endswith(wish.get("fileName", "")):
                return place
        return 0

    @property
    def _selected(self) -> list[Model]:
        return [one.options[one.chosen] for one in self._choices if one.chosen is not None]

    @property
    def _size(self) -> int:
        own = 0 if self._artifact is None else self._artifact.size_bytes
        return own + sum(model.size_bytes for model in self._selected)

    def _keep(self) -> None:
        for model in self._selected:
            self._registry.add(model)
        if self._artifact is not None:
            path = f"/emulated/artifacts/{self._artifact.owner}/{self._artifact.name}"
            self._hub.folders[path] = self._artifact.files

    def _plan(self, state: repository.ArtifactDownloadPlanNodeState) -> repository.ArtifactDownloadPlan:
        nodes: list[repository.ArtifactDownloadPlanNode] = []
        if self._artifact is not None:
            nodes.append(
                repository.ArtifactDownloadPlanNodeArtifact(
                    owner=self._artifact.owner,
                    name=self._artifact.name,
                    state=state,
                    dependency_nodes=list(range(1, 1 + len(self._choices))),
                    artifact_type=self._artifact.kind,
                    size_bytes=self._artifact.size_bytes,
                )
            )
        nodes.extend(self._model_node(choice, state) for choice in self._choices)
        return repository.ArtifactDownloadPlan(
            nodes=nodes,
            download_size_bytes=self._size,
            download_action="startNewDownload" if self._size else "none",
            version=self._version,
        )

    def _model_node(
        self, choice: _Choice, state: repository.ArtifactDownloadPlanNodeState
    ) -> repository.ArtifactDownloadPlanNodeModel:
        if state == "pending":
            return repository.ArtifactDownloadPlanNodeModel(state=state, dependency_label=choice.label)
        chosen = choice.owned if choice.chosen is None else choice.options[choice.chosen]
        return repository.ArtifactDownloadPlanNodeModel(
            state=state,
            dependency_label=choice.label,
            resolved_sources=1,
            total_sources=1,
            already_owned=UNSET if choice.owned is None else _model_info(choice.owned),
            selected=UNSET if chosen is None else _model_info(chosen),
            download_options=[self._option_info(option) for option in choice.options],
            selected_download_option_index=choice.chosen,
            recommended_download_option_index=0,
        )

    def _option_info(self, option: Model) -> repository.ArtifactDownloadPlanDownloadOptionInfo:
        there = any(one.model_key == option.model_key for one in self._registry.downloaded)
        return repository.ArtifactDownloadPlanDownloadOptionInfo(
            display_name=option.display_name,
            size_bytes=option.size_bytes,
            compatibility_type=option.format,
            fit_estimation=fit_of(option),
            availability="downloaded" if there else "notDownloaded",
            quant_name=UNSET if option.quantization is None else option.quantization.name,
        )


async def _watch(channel: Channel, cancellation: Cancellation) -> None:
    async for packet in channel:
        if isinstance(
            packet, (repository.CreateDownloadPlanCancelDownload, repository.CreateDownloadPlanCancelPlan)
        ):
            cancellation.cancel()


def _model_info(model: Model) -> repository.ArtifactDownloadPlanModelInfo:
    return repository.ArtifactDownloadPlanModelInfo(
        display_name=model.display_name,
        size_bytes=model.size_bytes,
        compatibility_type=model.format,
        quant_name=UNSET if model.quantization is None else model.quantization.name,
        model_key=model.model_key,
    )
