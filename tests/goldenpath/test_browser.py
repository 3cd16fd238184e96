"""The page in a real Chromium, against the real services in a process of their own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright.sync_api", reason="no browser: playwright is not installed")
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "goldenpath"
CHROMIUM = os.environ.get("GOLDENPATH_CHROMIUM") or shutil.which("chromium")
PATIENCE = 40_000  # ms
TOKEN_DELAY = "0.08"  # seconds; an answer from the docs takes some five
LONG_QUESTION = "How do old and new IDs both resolve?"
EVENTS = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no browser: chromium is not installed (try: make browser)"),
]


class Cable(socketserver.ThreadingTCPServer):
    """The network between the browser and the services, which can be cut."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Ends)
        self.upstream: tuple[str, int] | None = None  # None: cut
        self.ends: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing gets through, and what was connected is reset, until the block ends."""
        with self.lock:
            upstream, self.upstream = self.upstream, None
            for end in self.ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        yield
        self.upstream = upstream


class Ends(socketserver.BaseRequestHandler):
    """One connection through the cable: two ends, and bytes going both ways."""

    server: Cable

    def handle(self) -> None:
        with self.server.lock:
            if self.server.upstream is None:
                return
            far = socket.create_connection(self.server.upstream)
            self.server.ends |= {self.request, far}
        back = threading.Thread(target=pump, args=(far, self.request))
        back.start()
        pump(self.request, far)
        back.join()
        with self.server.lock:
            self.server.ends -= {self.request, far}
        far.close()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    with Cable() as cable:
        thread = threading.Thread(target=cable.serve_forever)
        thread.start()
        yield cable
        cable.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url(cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the services are, seen from the browser."""
    data = tmp_path_factory.mktemp("goldenpath")
    arguments = [sys.executable, "-m", "goldenpath", "--port", "0", "--data", str(data)]
    settings = {"GOLDENPATH_TOKEN_DELAY": TOKEN_DELAY, "GOLDENPATH_ORIGINS": cable.url}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLDENPATH_")}
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(EXAMPLE)])} | settings
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) as services:
        assert services.stdout is not None
        line = services.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the services did not start: {line!r}"
        address = urlsplit(found[0])
        assert address.hostname and address.port
        cable.upstream = address.hostname, address.port
        yield cable.url
        services.terminate()
        services.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--disable-background-networking"])
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, url: str) -> Iterator[BrowserContext]:
    """A browser of somebody new, 1400 × 900."""
    context = browser.new_context(base_url=url, viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    yield context
    context.close()


@pytest.fixture
def faults(context: BrowserContext) -> Iterator[list[str]]:
    """What the page's own code raised; there must be nothing."""
    faults: list[str] = []
    context.on("weberror", lambda raised: faults.append(str(raised.error)))
    yield faults
    assert faults == []


@pytest.fixture
def page(context: BrowserContext, faults: list[str]) -> Page:
    """The page of somebody who has just signed up."""
    page = context.new_page()
    page.goto("/")
    page.get_by_test_id("name").fill(f"ada.{secrets.token_hex(4)}")
    page.get_by_test_id("password").fill("correct horse battery")
    page.get_by_test_id("submit").click()
    live(page)
    return page


def live(page: Page) -> None:
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")


def ask(page: Page, question: str) -> None:
    page.get_by_test_id("composer").fill(question)
    page.keyboard.press("Enter")


def answer(page: Page, status: str) -> Locator:
    return page.locator(f"[data-testid=message][data-role=assistant][data-status={status}]")


def words_so_far(page: Page, words: int) -> str:
    """The text of the (first) answer being written, as soon as it has so many words."""
    running = answer(page, "running").locator(".bubble").first
    expect(running).to_have_text(re.compile(rf"(\S+\s+){{{words}}}"))
    return running.inner_text()


def event(page: Page, name: str) -> Locator:
    return page.locator(f"[data-testid=event][data-event={name}]")


def stored(page: Page) -> list[dict[str, Any]]:
    """The messages of the open thread, as the server keeps them."""
    thread = page.url.partition("#thread=")[2]
    response = page.request.get(f"/api/threads/{thread}")
    assert response.ok, response.text()
    messages: list[dict[str, Any]] = response.json()["messages"]
    return messages


def squeezed(text: str) -> str:
    return " ".join(text.split())


def expect_nothing_lost_or_doubled(page: Page, questions: int = 1) -> None:
    """What the page shows is what the server keeps, and the events of each run are numbered without holes."""
    expect(event(page, "run_completed")).to_have_count(questions)
    expect(answer(page, "complete")).to_have_count(questions)
    for role in ("user", "assistant"):
        texts = [squeezed(message["text"]) for message in stored(page) if message["role"] == role]
        bubbles = page.locator(f"[data-testid=message][data-role={role}] .bubble").all_inner_texts()
        assert len(texts) == questions
        assert sorted(squeezed(text) for text in bubbles) == sorted(texts)
    for run in page.locator(".run").all():
        numbers: list[int] = []
        for row in run.get_by_test_id("event").all():
            first, _, last = row.locator(".seq").inner_text().partition("–")
            numbers += range(int(first), int(last or first) + 1)
            if row.get_attribute("data-event") == "token":
                expect(row).to_contain_text(f"{int(last or first) - int(first) + 1} token")
        assert numbers == list(range(1, len(numbers) + 1))


def test_somebody_new_asks_and_sees_the_events_and_the_answer(page: Page) -> None:
    ask(page, "What is 12.5% of 80?")

    expect(answer(page, "complete")).to_contain_text("12.5% of 80 = 10")
    for name in [*EVENTS, "run_completed"]:
        expect(event(page, name)).to_have_count(1)
    shown = [row.get_attribute("data-event") for row in page.get_by_test_id("event").all()]
    assert shown == [*EVENTS[:4], "token", "agent_completed", "run_completed"]
    expect_nothing_lost_or_doubled(page)


def test_what_is_open_shows_each_id_in_every_form(page: Page) -> None:
    ask(page, LONG_QUESTION)

    agent = page.locator("[data-testid=open-node][data-kind=agent]")
    agent.get_by_test_id("id-chip").click()

    for kind in ("session", "connection", "run", "request"):
        expect(page.locator(f"[data-testid=open-node][data-kind={kind}]")).to_have_count(1)
    forms = page.get_by_test_id("forms")
    expect(forms.locator("[data-format=manager] code")).to_have_text(re.compile(r"^agent_\d+_[0-9a-f]{8}$"))
    expect(forms.locator("[data-format=typeid] code")).to_have_text(re.compile(r"^agent_[0-7][0-9a-z]{25}$"))
    expect(forms.locator("[data-format=uuid] code")).to_have_text(re.compile(r"^[0-9a-f-]{36}$"))
    page.keyboard.press("Escape")
    expect(forms).to_be_hidden()
    page.get_by_test_id("stop").click()
    expect(answer(page, "cancelled")).to_contain_text("Stopped")
    expect(agent).to_have_count(0)


def test_a_reload_and_a_second_tab_in_mid_answer_see_the_rest(page: Page, context: BrowserContext) -> None:
    ask(page, LONG_QUESTION)
    before = words_so_far(page, 8)
    second = context.new_page()
    second.goto(page.url)

    page.reload()
    after = words_so_far(page, 8)
    meanwhile = words_so_far(second, 8)

    expect(second.get_by_test_id("message").first).to_contain_text(LONG_QUESTION)
    for tab, text in ((page, after), (second, meanwhile)):
        expect_nothing_lost_or_doubled(tab)
        for name in EVENTS:
            expect(event(tab, name)).to_have_count(1)
        whole = squeezed(answer(tab, "complete").locator(".bubble").inner_text())
        assert whole.startswith(squeezed(text)) and text.startswith(before)


def test_a_question_asked_in_one_tab_is_answered_live_in_another(page: Page, context: BrowserContext) -> None:
    ask(page, "What is 2 + 2?")
    expect(answer(page, "complete")).to_have_count(1)
    second = context.new_page()
    second.goto(page.url)
    live(second)
    expect(answer(second, "complete")).to_have_count(1)

    ask(page, LONG_QUESTION)

    words_so_far(second, 3)
    for tab in (page, second):
        expect_nothing_lost_or_doubled(tab, questions=2)


def test_a_cut_in_mid_answer_loses_nothing_and_doubles_nothing(page: Page, cable: Cable) -> None:
    ask(page, LONG_QUESTION)
    before = words_so_far(page, 8)

    with cable.cut():
        connection = page.get_by_test_id("connection")
        expect(connection).to_have_attribute("data-state", "reconnecting")
        expect(connection).to_have_attribute("data-code", "1006")
        ask(page, "What is 6 * 7?")
        unsent = page.locator("[data-testid=message][data-role=user][data-status=unsent]")
        expect(unsent).to_contain_text("Not sent yet")
    live(page)

    after = words_so_far(page, 12)
    expect(unsent).to_have_count(0)
    expect(answer(page, "complete").last).to_contain_text("42")
    expect_nothing_lost_or_doubled(page, questions=2)
    whole = squeezed(answer(page, "complete").locator(".bubble").first.inner_text())
    assert whole.startswith(squeezed(after)) and after.startswith(before)


def test_logging_out_in_one_tab_signs_the_other_out(page: Page, context: BrowserContext) -> None:
    second = context.new_page()
    second.goto("/")
    live(second)

    page.get_by_test_id("logout").click()

    for tab in (page, second):
        expect(tab.get_by_test_id("auth-form")).to_be_visible()
    expect(second.get_by_test_id("connection")).to_have_attribute("data-code", "4401")


def test_the_card_says_why_it_refuses(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/")
    page.get_by_test_id("toggle").click()
    page.get_by_test_id("name").fill("nobody.at.all")
    page.get_by_test_id("password").fill("wrong horse battery")
    page.keyboard.press("Enter")

    expect(page.get_by_test_id("error")).to_have_text("Wrong name or password.")


def test_on_a_phone_nothing_is_wider_than_the_screen(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, LONG_QUESTION)
    words_so_far(page, 8)

    for view in ("Threads", "Activity", "Chat"):
        page.get_by_role("navigation", name="Views").get_by_role("button", name=view).click()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(page.get_by_test_id("composer")).to_be_visible()
