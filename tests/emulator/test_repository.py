"""The namespace ``repository``: search, downloads that go on and are given up, plans, artifacts, accounts, LM Link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import lmwire
from lmwire import Client, repository
from lmwire_emulator import EmulatorThread
from lmwire_emulator.downloads import STEPS

CATALOG = repository.ModelSearchResultIdentifierCatalog
DOWNLOAD = ["downloadProgress"] * (STEPS + 1)


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(loaded=()) as running:
        yield running


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[Client]:
    with Client(emulator.api_host) as connected:
        yield connected


@pytest.fixture
def slow() -> Iterator[Client]:
    """A client of a server whose downloads take longer than any test."""
    with (
        EmulatorThread(loaded=(), seconds_per_download=600) as running,
        Client(running.api_host) as connected,
    ):
        yield connected


def found(client: Client, **opts: Any) -> list[str]:
    options = repository.ModelSearchOpts(**opts)
    return [entry.name for entry in client.repository.rpc.search_models(opts=options).results]


def downloaded(client: Client) -> list[str]:
    return [info.to_wire()["modelKey"] for info in client.system.rpc.list_downloaded_models()]


class TestSearch:
    @pytest.mark.parametrize(
        ("opts", "names"),
        [
            ({}, ["emulator/ngram-large", "emulator/embed-large", "emulator/ngram-mlx"]),
            ({"search_term": "NGRAM"}, ["emulator/ngram-large", "emulator/ngram-mlx"]),
            ({"search_term": "ngram-mlx"}, ["emulator/ngram-mlx"]),
            ({"compatibility_types": ["safetensors"]}, ["emulator/ngram-mlx"]),
            ({"limit": 1}, ["emulator/ngram-large"]),
            ({"search_term": "nothing like it"}, []),
        ],
    )
    def test_terms_and_filters(self, client: Client, opts: dict[str, Any], names: list[str]) -> None:
        assert found(client, **opts) == names

    @pytest.mark.parametrize("limit", [0, 26])
    def test_limits(self, client: Client, limit: int) -> None:
        with pytest.raises(lmwire.RefusedRequestError, match="limit"):
            found(client, limit=limit)

    def test_options_of_a_result(self, client: Client) -> None:
        options = client.repository.rpc.get_model_download_options(
            model_search_result_identifier=CATALOG(identifier="emulator/ngram-large")
        ).results
        assert [option.quantization for option in options] == ["Q4_K_M", "Q8_0", "F16"]
        assert [option.fit_estimation for option in options] == [
            "fullGPUOffload",
            "fullGPUOffload",
            "willNotFit",
        ]

    def test_a_result_that_there_is_not(self, client: Client) -> None:
        with pytest.raises(lmwire.RpcError, match="emulator/ngram-large"):
            client.repository.rpc.get_model_download_options(
                model_search_result_identifier=CATALOG(identifier="no/such")
            )

    def test_the_catalogue_and_staff_picks(self, client: Client) -> None:
        assert len(client.repository.rpc.get_model_catalog().models) == 3
        picks = client.repository.rpc.fuzzy_find_staff_picks(search_term="ngram-larg", limit=1).results
        assert [(pick.name, pick.exact) for pick in picks] == [("ngram-large", False)]
        assert client.repository.rpc.fuzzy_find_staff_picks(search_term="xyz").results == []
        assert len(client.repository.rpc.fuzzy_find_staff_picks().results) == 2


class TestDownload:
    KEY = "emulator/ngram-large@q4_k_m"

    def test_a_model_is_there_afterwards(self, client: Client) -> None:
        assert self.KEY not in downloaded(client)
        with client.repository.channel.download_model(download_identifier=self.KEY) as channel:
            told: list[Any] = list(channel)
        assert [packet.type for packet in told] == [*DOWNLOAD, "startFinalizing", "success"]
        progress = [packet.update.downloaded_bytes for packet in told[: STEPS + 1]]
        assert progress[0] == 0
        assert progress == sorted(progress)
        assert progress[-1] == told[0].update.total_bytes
        assert self.KEY in downloaded(client)
        model = client.llm.model(told[-1].default_identifier)
        assert str(model.complete("My name is", config={"maxTokens": 3, "temperature": 0}))

    def test_given_up(self, slow: Client) -> None:
        with slow.repository.channel.download_model(download_identifier=self.KEY) as channel:
            next(channel)
            channel.cancel()
            assert not any(isinstance(packet, repository.DownloadModelSuccess) for packet in channel)
        assert self.KEY not in downloaded(slow)

    def test_what_there_is_not(self, client: Client) -> None:
        with pytest.raises(lmwire.ChannelError, match="Cannot find the download"):
            list(client.repository.channel.download_model(download_identifier="no/such"))


def artifact_plan(client: Client) -> Any:
    target = repository.CreateDownloadPlanCreationTargetArtifact(owner="emulator", name="calculator")
    return client.repository.channel.create_download_plan(target=target)


def model_plan(client: Client, **opts: Any) -> Any:
    source = repository.HuggingFaceModelDownloadSource(user="emulator", repo="ngram-large")
    return client.repository.channel.create_download_plan(
        target=repository.CreateDownloadPlanCreationTargetModel(source=source),
        opts=repository.CreateDownloadPlanCreationOpts(**opts),
    )


def ready(channel: Any) -> Any:
    for packet in channel:
        if isinstance(packet, repository.CreateDownloadPlanPlanReady):
            return packet.plan
    raise AssertionError("the channel ended before the plan was ready")


def choose(index: int | None, version: int, node: int = 0) -> Any:
    return repository.CreateDownloadPlanSetSelectedDownloadOptionIndex(
        node_index=node, selected_download_option_index=index, requested_plan_version=version
    )


class TestPlans:
    def test_an_artifact_with_the_model_that_it_needs(self, client: Client, emulator: EmulatorThread) -> None:
        with artifact_plan(client) as channel:
            plan = ready(channel)
            assert [node.type for node in plan.nodes] == ["artifact", "model"]
            assert plan.nodes[0].dependency_nodes == [1]
            channel.send(choose(1, 7, node=1))
            updated = channel.receive().plan
            assert (updated.version, updated.nodes[1].selected.quant_name) == (7, "Q8_0")
            assert updated.download_size_bytes > plan.download_size_bytes
            channel.send(repository.CreateDownloadPlanCommit())
            assert [packet.type for packet in channel] == [*DOWNLOAD, "startFinalizing", "success"]
        assert "emulator/ngram-large@q8_0" in downloaded(client)
        files = client.repository.rpc.get_local_artifact_files(
            path="/emulated/artifacts/emulator/calculator"
        ).file_list.files
        assert [file.relative_path for file in files] == ["manifest.json", "src/index.js"]

    def test_what_is_there_needs_no_download(self, client: Client) -> None:
        list(client.repository.channel.download_model(download_identifier=TestDownload.KEY))
        with model_plan(client) as channel:
            plan = ready(channel)
            assert plan.nodes[0].already_owned.model_key == TestDownload.KEY
            assert (plan.nodes[0].selected_download_option_index, plan.download_action) == (None, "none")

    def test_preferences(self, client: Client) -> None:
        wish = repository.CreateDownloadPlanCreationOptsResolutionPreferenceItemQuantName(quant_name="Q8_0")
        with model_plan(client, resolution_preference=[wish]) as channel:
            assert ready(channel).nodes[0].selected_download_option_index == 1

    @pytest.mark.parametrize(("index", "node"), [(9, 0), (None, 0), (0, 5)])
    def test_choices_that_there_are_not(self, client: Client, index: int | None, node: int) -> None:
        with model_plan(client) as channel:
            ready(channel)
            channel.send(choose(index, 1, node))
            with pytest.raises(lmwire.ChannelError, match=f"Node {node}"):
                list(channel)

    @pytest.mark.parametrize("committed", [False, True], ids=["before", "while it downloads"])
    def test_given_up(self, slow: Client, committed: bool) -> None:
        with model_plan(slow) as channel:
            ready(channel)
            if committed:
                channel.send(repository.CreateDownloadPlanCommit())
                channel.receive()
            channel.send(
                repository.CreateDownloadPlanCancelDownload()
                if committed
                else repository.CreateDownloadPlanCancelPlan()
            )
            assert not any(isinstance(packet, repository.CreateDownloadPlanSuccess) for packet in channel)
        assert "emulator/ngram-large@q4_k_m" not in downloaded(slow)


class TestArtifacts:
    FOLDER = "/tmp/somewhere/calculator"

    def download(self, client: Client) -> None:
        with client.repository.channel.download_artifact(
            artifact_owner="emulator", artifact_name="calculator", revision_number=None, path=self.FOLDER
        ) as channel:
            told: list[Any] = list(channel)
        assert told[-1].type == "success"

    def test_downloaded_installed_and_published(self, client: Client, emulator: EmulatorThread) -> None:
        self.download(client)
        client.repository.rpc.install_plugin_dependencies(plugin_folder=self.FOLDER)
        client.repository.rpc.install_local_plugin(plugin_path=self.FOLDER)
        with pytest.raises(lmwire.ChannelError, match="not signed in"):
            list(client.repository.channel.push_artifact(path=self.FOLDER))
        list(client.repository.channel.ensure_authenticated())
        messages: list[Any] = list(client.repository.channel.push_artifact(path=self.FOLDER))
        assert [packet.message for packet in messages] == [
            "Uploading 2 files",
            "Published emulated-user/calculator",
        ]
        hub = emulator.emulator.hub
        assert hub.dependencies_installed == hub.plugins_installed == [self.FOLDER]
        assert hub.pushed == [(self.FOLDER, None)]

    @pytest.mark.parametrize("path", ["/etc", "/", "", "../.."])
    def test_no_real_folder_is_looked_at(self, client: Client, path: str) -> None:
        with pytest.raises(lmwire.RpcError, match="There is no folder"):
            client.repository.rpc.get_local_artifact_files(path=path)

    def test_a_revision_that_there_is_not(self, client: Client) -> None:
        with pytest.raises(lmwire.ChannelError, match="revision 9"):
            list(
                client.repository.channel.download_artifact(
                    artifact_owner="emulator", artifact_name="calculator", revision_number=9, path="/x"
                )
            )


class TestAccounts:
    def test_signing_in_and_out(self, client: Client) -> None:
        rpc = client.repository.rpc
        assert rpc.is_authenticated().authenticated is False
        assert rpc.get_writable_artifact_owners().owners == []
        first, second = (
            [packet.to_wire()["type"] for packet in client.repository.channel.ensure_authenticated()]
            for _ in range(2)
        )
        assert (first, second) == (["authenticationCode", "authenticated"], ["authenticated"])
        status = rpc.get_authentication_status().authentication_status
        assert status.to_wire() == {"type": "loggedInUser", "userName": "emulated-user"}
        assert rpc.get_writable_artifact_owners().owners == ["emulated-user", "emulated-organization"]
        rpc.deauthenticate()
        assert rpc.is_authenticated().authenticated is False

    def test_other_ways_in(self, client: Client) -> None:
        rpc = client.repository.rpc
        assert rpc.login_as_compute_device(token="t").owner_username == "emulated-user"
        assert rpc.get_writable_artifact_owners().owners == []
        rpc.login_with_pre_authenticated_keys(key_id="k", public_key="p", private_key="s")
        assert rpc.is_authenticated().authenticated is True


def test_lm_link(client: Client) -> None:
    rpc = client.repository.rpc
    assert rpc.lm_link_status().issues == ["notLoggedIn"]
    list(client.repository.channel.ensure_authenticated())
    rpc.lm_link_update_device_name(device_name="Mine")
    rpc.lm_link_set_preferred_device(device_identifier="emulated-desktop")
    status = rpc.lm_link_status()
    assert (status.status, status.device_name, status.preferred_device_identifier) == (
        "online",
        "Mine",
        "emulated-desktop",
    )
    rpc.lm_link_set_disabled(disabled=True)
    status = rpc.lm_link_status()
    assert (status.status, status.issues, status.peers) == ("offline", ["deviceDisabled"], [])
    with pytest.raises(lmwire.RpcError, match="no device"):
        rpc.lm_link_set_preferred_device(device_identifier="other")
