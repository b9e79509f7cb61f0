"""The namespace ``runtime``: inference engines are listed, selected, downloaded and removed; hardware is surveyed."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from lmwire import UNSET, runtime
from lmwire_emulator.downloads import Downloader, DownloadPackets
from lmwire_emulator.engine_store import EngineStore, Extension
from lmwire_emulator.model_handlers import cancelled_by, or_none
from lmwire_emulator.wire_values import MEMORY_BYTES, error_replies
from lmwire_runtime.server import RequestContext, ServerChannel

__all__ = ["EmulatedRuntime"]

_PLATFORM: Final = "linux"
_INSTRUCTIONS: Final[list[runtime.RuntimeHardwareCpuInstructionSetExtension]] = ["AVX", "AVX2"]
_WELL: Final = runtime.RuntimeHardwareSurveyResultInfo(code="success", message="")


class EmulatedRuntime(runtime.RuntimeHandlers):
    """Handlers on the engines of one machine."""

    packets: ClassVar = DownloadPackets(
        runtime.DownloadRuntimeExtensionDownloadProgress, runtime.DownloadRuntimeExtensionStartFinalizing
    )

    def __init__(self, downloader: Downloader, engines: EngineStore | None = None) -> None:
        self._downloader = downloader
        self.engines = EngineStore() if engines is None else engines

    async def list_engines(self, context: RequestContext) -> list[runtime.RuntimeEngineInfo]:
        return [
            runtime.RuntimeEngineInfo(
                name=one.name,
                version=one.version,
                engine=one.engine or "",
                platform=_PLATFORM,
                cpu=_cpu(),
                gpu=_gpu(one),
                supported_model_format_names=list(one.formats),
            )
            for one in self.engines.engines
        ]

    async def get_engine_selections(
        self, context: RequestContext
    ) -> list[tuple[runtime.ModelFormatName, runtime.RuntimeExtensionSpecifier]]:
        return [
            (name, runtime.RuntimeExtensionSpecifier(name=engine, version=version))
            for name, (engine, version) in self.engines.selected.items()
        ]

    async def select_engine(self, parameter: runtime.SelectEngineParameter, context: RequestContext) -> None:
        with error_replies():
            self.engines.select(parameter.engine.name, parameter.engine.version, parameter.model_format_name)

    async def remove_engine(self, parameter: runtime.RemoveEngineParameter, context: RequestContext) -> None:
        with error_replies():
            self.engines.remove(parameter.name, parameter.version)

    async def survey_hardware(
        self, parameter: runtime.RuntimeHardwareSurveyScope | None, context: RequestContext
    ) -> runtime.RuntimeHardwareSurveyResult:
        named = None
        if isinstance(parameter, runtime.RuntimeHardwareSurveyScopeCustom):
            named = [(one.name, one.version) for one in parameter.engines]
        with error_replies():
            found = self.engines.surveyed(
                named, everything=isinstance(parameter, runtime.RuntimeHardwareSurveyScopeAll)
            )
        return runtime.RuntimeHardwareSurveyResult(
            status="ok" if found else "noCompatibleBackends", engines=[_surveyed(one) for one in found]
        )

    async def search_runtime_extensions(
        self, parameter: runtime.SearchRuntimeExtensionsParameter, context: RequestContext
    ) -> runtime.SearchRuntimeExtensionsResult:
        found = self.engines.search(
            parameter.query,
            or_none(parameter.channel_override),
            incompatible=parameter.include_incompatible,
        )
        return runtime.SearchRuntimeExtensionsResult(extensions=[self._downloadable(one) for one in found])

    async def download_runtime_extension(
        self,
        creation: runtime.DownloadRuntimeExtensionCreation,
        channel: ServerChannel[
            runtime.DownloadRuntimeExtensionToServer, runtime.DownloadRuntimeExtensionToClient
        ],
    ) -> None:
        async with cancelled_by(channel) as cancellation:
            extension = self.engines.find(creation.name, creation.version)
            if await self._downloader.run(extension.size_bytes, channel, self.packets, cancellation):
                self.engines.install(extension, update_selections=creation.update_selections)
                await channel.send(runtime.DownloadRuntimeExtensionSuccess())

    def _downloadable(self, extension: Extension) -> runtime.DownloadableRuntimeExtensionInfo:
        facts: dict[str, Any] = {
            "name": extension.name,
            "version": extension.version,
            "package": extension.name,
            "platform": _PLATFORM,
            "cpu": _cpu(),
            "gpu": _gpu(extension),
            "local_versions": self.engines.versions(extension.name),
        }
        if extension.engine is None:
            return runtime.DownloadableRuntimeFrameworkExtension(**facts)
        return runtime.DownloadableRuntimeEngineExtension(
            supported_model_format_names=list(extension.formats), **facts
        )


def _cpu() -> runtime.CpuInfo:
    return runtime.CpuInfo(architecture="x86_64", instruction_set_extensions=list(_INSTRUCTIONS))


def _gpu(extension: Extension) -> Any:
    return UNSET if extension.gpu is None else runtime.GpuInfo(make="Emulated", framework=extension.gpu)


def _surveyed(extension: Extension) -> runtime.RuntimeHardwareSurveyEngine:
    cpu = runtime.RuntimeHardwareCpuInfo(
        name="Emulated CPU", architecture="x86_64", supported_instruction_set_extensions=list(_INSTRUCTIONS)
    )
    no_gpu = runtime.RuntimeHardwareSurveyResultInfo(code="noDevicesFound", message="There is no GPU.")
    needs_gpu = extension.gpu is not None
    return runtime.RuntimeHardwareSurveyEngine(
        name=extension.name,
        version=extension.version,
        engine=extension.engine or "",
        platform=_PLATFORM,
        compatibility=runtime.RuntimeHardwareSurveyCompatibility(
            status="gpuRequiredButNoneFound" if needs_gpu else "compatible"
        ),
        supported_model_format_names=list(extension.formats),
        hardware_survey=runtime.RuntimeHardwareSurveyHardware(
            gpu_survey_result=runtime.RuntimeHardwareGpuSurveyResult(result=no_gpu, gpu_info=[]),
            cpu_survey_result=runtime.RuntimeHardwareCpuSurveyResult(result=_WELL, cpu_info=cpu),
        ),
        memory_info=runtime.RuntimeHardwareSurveyMemoryInfo(
            ram_capacity=MEMORY_BYTES, vram_capacity=0, total_memory=MEMORY_BYTES
        ),
    )
