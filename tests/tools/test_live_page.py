"""The live page in a real browser, and what it answers to those who are not its reader."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from lmwire import Client
from lmwire_emulator import EmulatorThread
from lmwire_tools.analysis import ConnectionAnalysis
from lmwire_tools.live_page import LivePage
from lmwire_tools.recordings import Closed, Opened
from lmwire_tools.traffic import TrafficEvent
from tests.interop.scripts import SCRIPT
from tests.runtime.arithmetic import ENOUGH, LoopThread
from tests.support import requires
from tests.support.requirements import BROWSERS
from tests.tools.proxies import proxied

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MILLISECONDS = ENOUGH * 1000


class Served:
    """A live page in a thread of its own."""

    def __init__(self, **options: Any) -> None:
        self._thread = LoopThread()

        async def start() -> tuple[LivePage, str]:
            page = LivePage(**options)
            return page, await page.start()

        self._page, self.url = self._thread.run(start())

    def show(self, *events: TrafficEvent) -> None:
        async def tell() -> None:
            for event in events:
                self._page(event)

        self._thread.run(tell())

    def __call__(self, event: TrafficEvent) -> None:
        """Take an event of a proxy, which has a thread of its own."""
        self._thread.loop.call_soon_threadsafe(self._page, event)

    def break_streams(self) -> None:
        """End what browsers read, as a lost network would."""

        async def cut() -> None:
            for reader in list(self._page._readers):
                reader.cancel()

        self._thread.run(cut())

    def ask(self, path: str, **headers: str) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Ask for a path below the key."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=ENOUGH)
        connection.putrequest("GET", path if path.startswith("/") else parts.path + path, skip_host=True)
        for name, value in {"Host": parts.netloc, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers
        connection.close()
        return found

    def close(self) -> None:
        self._thread.run(self._page.close())
        self._thread.stop()


@pytest.fixture
def served() -> Iterator[Served]:
    running = Served()
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's browser, headless."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=MILLISECONDS)
    path = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        # In a container of root there is no sandbox to be had.
        found = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may not complain, nor ask for anything but this machine."""
    opened = browser.new_page()
    opened.set_default_timeout(MILLISECONDS)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    requests: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    yield opened
    opened.close()
    assert complaints == []
    assert {urlsplit(url).hostname for url in requests} <= {"127.0.0.1"}


def frames(
    *texts: Any, connection: int = 1, namespace: str = "llm", since: float = 1_800_000_000.0
) -> list[Any]:
    """Events of loose frames, each a pair of direction and JSON."""
    analysis = ConnectionAnalysis(connection, namespace, loose=True)
    return [
        analysis.frame(direction, json.dumps(data).encode(), since + number / 100)
        for number, (direction, data) in enumerate(texts)
    ]


def call(number: int, endpoint: str, result: Any = None) -> list[tuple[str, Any]]:
    return [
        ("to_server", {"type": "rpcCall", "callId": number, "endpoint": endpoint}),
        ("to_client", {"type": "rpcResult", "callId": number, "result": result or []}),
    ]


# In a browser.


@requires("browser")
def test_it_shows_what_passes_a_proxy_as_it_comes(served: Served, page: Page) -> None:
    from playwright.sync_api import expect

    page.goto(served.url)
    with EmulatorThread(script=SCRIPT) as emulator, proxied(emulator.api_host) as proxy:
        proxy.also = served
        with Client(proxy.host) as client:
            client.llm.model().complete("My name is")
            row = page.locator(".row", has_text="fragment").first
            expect(row).to_contain_text("/llm/completeRawText")
            expect(page.locator("#connections button")).to_have_text("1 /llm")
            expect(page.locator("#connections button.closed")).to_have_count(0)
        expect(page.locator("#connections button.closed")).to_have_count(1)

    stream = page.locator(".stream", has_text="completeRawText")
    expect(stream).to_have_count(1)
    expect(stream.locator(".bar.open, .bar.bad")).to_have_count(0)
    row.click()
    expect(page.locator("#detail")).to_contain_text('"content": " Ada"')
    assert json.loads(page.locator("#detail").inner_text())["type"] == "channelSend"


@requires("browser")
def test_frames_are_filtered(served: Served, page: Page) -> None:
    from playwright.sync_api import expect

    served.show(Opened(time=1.8e9, connection=1, namespace="llm"))
    served.show(*frames(*call(1, "listLoaded"), *call(2, "nonesuch"), *call(3, "listLoaded")))
    served.show(*frames(*call(1, "listDownloadedModels"), connection=2, namespace="system"))
    page.goto(served.url)
    rows, status = page.locator(".row"), page.get_by_role("status")

    expect(rows).to_have_count(9)
    page.get_by_label("filter").fill("LISTloaded rpcresult")
    expect(rows).to_have_count(2)
    expect(page.locator(".stream")).to_have_count(0)  # no stream's request is an rpcResult
    page.get_by_label("filter").fill("listloaded")
    expect(rows).to_have_count(4)
    expect(status).to_have_text("4 of 9 events")
    page.locator(".stream").first.click()
    expect(rows).to_have_count(2)
    page.locator(".stream").first.click()
    page.get_by_label("filter").fill("")
    page.get_by_label("deviations only").check()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("nonesuch")
    rows.click()
    expect(page.locator("#faults")).to_contain_text("at /endpoint: expected one of the rpc endpoints of llm")
    page.get_by_label("deviations only").uncheck()
    page.locator("#connections button").click()
    expect(rows).to_have_count(7)


@requires("browser")
def test_hostile_frames_stay_text(served: Served, page: Page) -> None:
    from playwright.sync_api import expect

    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    served.show(Opened(time=1.8e9, connection=1, namespace=evil))
    served.show(
        *frames(
            ("to_server", {"type": evil, "endpoint": evil}),
            (
                "to_server",
                {"type": "channelCreate", "channelId": 1, "endpoint": evil, "creationParameter": evil},
            ),
            ("to_client", {"type": "channelSend", "channelId": 1, "message": {"type": evil}}),
            namespace=evil,
        ),
        Closed(time=1.8e9, connection=1, namespace=evil, code=4000, reason=evil),
    )
    page.goto(served.url)

    expect(page.locator(".row")).to_have_count(5)
    for index in range(5):
        page.locator(".row").nth(index).click()
        expect(page.locator(".row").nth(index)).to_have_attribute("aria-selected", "true")
    page.locator(".row").nth(2).click()
    expect(page.locator("#detail")).to_contain_text("creationParameter")
    expect(page.locator("#detail")).to_contain_text("<img src=x onerror")
    assert page.locator("img, .row script, aside script").count() == 0
    assert page.title() == "lmwire proxy"


@requires("browser")
def test_thousands_of_frames_are_shown_and_scrolled(served: Served, page: Page) -> None:
    from playwright.sync_api import expect

    count = 6000
    served.show(*frames(*(each for number in range(count // 2) for each in call(number, "listLoaded"))))
    page.goto(served.url)

    expect(page.get_by_role("status")).to_have_text(f"{count} of {count} events")
    assert page.locator(".row").count() < 200  # what is seen is drawn
    expect(page.locator(".row").last).to_contain_text(f"#{count // 2 - 1}rpcResult")
    page.locator("#list").evaluate("list => { list.scrollTop = 0; }")
    expect(page.locator(".row").first).to_contain_text("#0rpcCall")
    page.get_by_label("filter").fill("#1234 rpccall")
    expect(page.locator(".row")).to_have_count(1)


@requires("browser")
def test_a_page_goes_on_after_a_broken_stream(served: Served, page: Page) -> None:
    from playwright.sync_api import expect

    served.show(*frames(*call(1, "listLoaded")))
    page.goto(served.url)
    expect(page.locator(".row")).to_have_count(2)
    served.break_streams()
    served.show(*frames(*call(2, "getLoadConfig")))

    expect(page.locator(".row")).to_have_count(4)
    expect(page.locator(".row").last).to_contain_text("getLoadConfig")


# Whoever asks.


def test_it_answers_its_reader(served: Served) -> None:
    served.show(*frames(*call(1, "listLoaded")))

    status, body, headers = served.ask("")
    assert status == 200
    assert b"<title>lmwire proxy</title>" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    status, body, _ = served.ask("frames/1")
    assert (status, json.loads(body)["endpoint"]) == (200, "listLoaded")


def test_the_page_asks_for_nothing_from_elsewhere(served: Served) -> None:
    body = served.ask("")[1].decode()

    for mark in (
        "http://",
        "https://",
        "//cdn",
        "@import",
        "innerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
    ):
        assert mark not in body


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/events", "nothing", "frames/99", "frames/x"])
def test_without_the_key_there_is_nothing(served: Served, path: str) -> None:
    assert served.ask(path)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.com"},
        {"Host": "127.0.0.1.example.com"},
        {"Host": ""},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
    ],
)
def test_other_pages_are_refused(served: Served, headers: dict[str, str]) -> None:
    assert served.ask("", **headers)[0] == 403
    assert served.ask("events", **headers)[0] == 403


def test_secrets_are_not_shown(served: Served) -> None:
    packet = {"authVersion": 1, "clientIdentifier": "me", "clientPasskey": "very secret"}
    served.show(*frames(("to_server", packet)))

    body = served.ask("frames/1")[1]

    assert json.loads(body)["clientPasskey"] == "<redacted>"


def test_old_rows_are_forgotten() -> None:
    served = Served(rows=3, bytes_kept=10_000)
    served.show(
        *frames(*call(1, "listLoaded"), *call(2, "listLoaded", ["x" * 6000]), *call(3, "x", ["y" * 6000]))
    )

    assert [served.ask(f"frames/{number}")[0] for number in range(1, 7)] == [404, 404, 404, 404, 200, 200]
    served.close()


def test_a_frame_that_is_no_json_is_shown_as_text(served: Served) -> None:
    event = ConnectionAnalysis(1, "llm").frame("to_client", b"no \xff JSON", 1.0)
    served.show(event)

    assert json.loads(served.ask("frames/1")[1]) == "no \N{REPLACEMENT CHARACTER} JSON"


def test_there_is_a_limit_to_readers(served: Served) -> None:
    async def crowd() -> list[bytes]:
        parts = urlsplit(served.url)
        opened = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(17)]
        for _, writer in opened[:16]:
            writer.write(f"GET {parts.path}events HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        answers = [await reader.readline() for reader, _ in opened]
        for _, writer in opened:
            writer.close()
        return answers

    thread = LoopThread()
    answers = thread.run(crowd())
    thread.stop()

    assert sorted(answer.split()[1] for answer in answers) == [*[b"200"] * 16, b"503"]
