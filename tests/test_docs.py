"""What the documents say is run."""

from __future__ import annotations

import asyncio
import doctest
import importlib
import json
import logging
import pkgutil
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.sync.client import connect

import canonid
from canonid import Registry, RegistryError, load_registry
from canonid.aliases import SQLiteStore
from canonid.cli.main import main
from canonid.core.declaring import BUILT_IN
from canonid.core.grammar import TYPES
from canonid.core.snowflake import READY, layout
from canonid.scopes.valkey import ValkeyTree
from canonid.testing import serve
from canonid.websockets import Hub
from stores import Server, Watcher

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GOLDEN = ROOT / "examples" / "goldenpath" / "canonid.toml"


MODULES = [
    module.name
    for module in pkgutil.walk_packages(canonid.__path__, "canonid.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["canonid", *MODULES])
def test_the_examples_in_docstrings_hold(name):
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.FAIL_FAST)
    assert results.failed == 0


def test_some_docstrings_have_examples():
    assert sum(len(e.examples) for e in doctest.DocTestFinder().find(canonid.Registry)) >= 5


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_registry_and_the_ids_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("canonid.toml").write_text(blocks(README, "toml")[0])
    names: dict[str, object] = {}
    exec(blocks(README, "python")[0], names)
    registry = names["registry"]
    assert isinstance(registry, Registry)
    assert registry.canonical("session_66599_efa61c50").startswith("thread_")
    assert "expected 's' there, got 'i'" in registry.recognise("sesion_66599_efa61c50").reason
    for line in re.findall(r"^\$ canonid (.*?)(?: < .*)?$", README, re.MULTILINE):
        command = [sys.executable, "-m", "canonid.cli", *line.split()]
        result = subprocess.run(command, input="", capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


def test_the_ten_lines_of_the_readme_serve_a_websocket(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("canonid.toml").write_text(GOLDEN.read_text())
    names: dict[str, object] = {}
    exec(blocks(README, "python")[1], names)
    registry, store, hub = names["registry"], names["store"], names["hub"]
    user, session = registry.mint("user"), registry.mint("session")
    with store:
        store.record(user)
        store.record(session, parent=user)
        ticket = hub.tickets.issue(principal=user, session=session, expires_at=time.time() + 60)
        with serve(names["app"]) as url:
            offer = ["canonid.v1", f"ticket.{ticket}"]
            with connect(url.replace("http", "ws") + "/ws", subprotocols=offer) as socket:
                assert '"ready"' in socket.recv()
                socket.send('{"type": "say", "text": "hello"}')
                assert socket.recv() == '{"type":"echo","text":"hello"}'


def test_the_service_boundary_in_the_docs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "boundaries.md").read_text()
    Path("canonid.toml").write_text(blocks(page, "toml")[0])
    names: dict[str, object] = {}
    exec(blocks(page, "python")[0], names)
    old, canonical = re.search(r"`(\S+)` in `X-Thread-Id` reaches the application as `(\S+)`", page).groups()
    with serve(names["app"]) as url:
        answer = httpx.get(f"{url}/summary", headers={"X-Thread-Id": old, "X-Service": "search"})
        refused = httpx.get(f"{url}/summary", headers={"X-Thread-Id": "thread_1"})
    assert answer.json() == {"thread": canonical}
    assert answer.headers["x-thread-id"] == names["registry"].translate(canonical, "uuid")
    keys = re.search(r"one JSON object, `\{(.*)\}`", page).group(1)
    assert sorted(refused.json()) == sorted(re.findall(r"\w+", keys))


WEBSOCKETS = (ROOT / "docs" / "websockets.md").read_text()


def test_the_test_of_an_application_in_the_docs(tmp_path):
    registry = load_registry(GOLDEN)
    (snippet,) = [block for block in blocks(WEBSOCKETS, "python") if "canonid.testing" in block]
    names: dict[str, object] = {}
    exec(snippet, names)
    user, session, thread = (registry.mint(kind) for kind in ("user", "session", "thread"))
    with SQLiteStore(tmp_path / "canonid.db", registry) as store:
        store.record(user)
        store.record(session, parent=user)
        store.record(thread, parent=user)
        hub = Hub(registry, store)

        async def execute(run):
            await run.publish("thinking")
            await asyncio.sleep(0.2)
            await run.publish("answered")

        @hub.on_message
        async def ask(connection, message):
            await hub.start_run(connection, thread=message["thread"], execute=execute)

        def issue_ticket():
            return hub.tickets.issue(principal=user, session=session, expires_at=time.time() + 60)

        with serve(Starlette(lifespan=hub.lifespan, routes=[WebSocketRoute("/ws", hub)])) as url:
            asyncio.run(names["test_an_answer_survives_a_blip"](url, issue_ticket, thread))


def test_the_observing_of_a_hub_in_the_docs(tmp_path):
    registry = load_registry(GOLDEN)
    (snippet,) = [block for block in blocks(WEBSOCKETS, "python") if "metrics_app" in block]
    before = logging.root.handlers[:], logging.root.level
    with SQLiteStore(tmp_path / "canonid.db", registry) as store:
        names: dict[str, object] = {"hub": Hub(registry, store)}
        names["hub"].counters.add("closes", code="4404", ours="true")
        names["hub"].counters.add("incidents", during="run")
        try:
            exec(snippet, names)
            with serve(names["operators"]) as url:
                text = httpx.get(f"{url}/metrics/").text
                assert httpx.get(f"{url}/tree/", params={"user": "nobody"}).status_code == 404
        finally:
            logging.root.handlers[:], logging.root.level = before
    families = {line.split()[2].removeprefix("canonid_") for line in text.splitlines() if "# TYPE" in line}
    named = set(re.findall(r"`([a-z_]+)", "".join(re.findall(r"^\| (`.*?) \|", WEBSOCKETS, re.MULTILINE))))
    assert {name for name in families if not name.endswith("_created")} <= named


FORMATS = (ROOT / "docs" / "formats.md").read_text()


def registries_of(page: str) -> dict[str, Registry]:
    """A registry for each format that a page declares, with the kinds that it names."""
    found = {}
    for block in blocks(page, "toml"):
        for name, table in tomllib.loads(block)["formats"].items():
            kinds = {*table.get("kinds", ()), "thread"}
            declared = "".join(f"[kinds.{kind}]\n" for kind in sorted(kinds))
            keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
            found[name] = Registry.from_toml(f"{declared}[formats.{name}]\n{keys}")
    return found


def test_every_format_in_the_docs_is_one_and_accepts_its_example():
    registries = registries_of(FORMATS)
    examples = dict(re.findall(r"^\| `([a-z-]+)` \| `(\S+)` \| [^|]*\|$", FORMATS, re.MULTILINE))
    assert len(examples.keys() & registries.keys()) >= 5
    for name in examples.keys() & registries.keys():
        kind = registries[name].format(name).kinds[0]
        assert registries[name].parse(examples[name], kind).format == name


def test_the_grammar_in_the_docs_names_every_type():
    (grammar,) = blocks(FORMATS, "ebnf")
    types = grammar[grammar.index("\ntype ") : grammar.index("\nversion ")]
    assert set(re.findall(r'"([a-z0-9-]+)\(?"', types)) == set(TYPES)
    listed = re.findall(r"^\| `([a-z0-9-]+)", FORMATS[: FORMATS.index("## Built in")], re.MULTILINE)
    assert set(listed) == set(TYPES)


def test_the_built_in_formats_and_layouts_in_the_docs_are_those():
    table = FORMATS[FORMATS.index("## Built in") : FORMATS.index("## Exact and derived")]
    rows = dict(re.findall(r"^\| `([a-z]+)` \| `([^`]+)` \|", table, re.MULTILINE))
    assert {name: layout(rows.pop(name)) for name in READY} == READY
    assert rows == {**BUILT_IN, "snowflake": "{id:snowflake(…)}"}


def test_the_python_of_the_formats_page_answers_what_it_says():
    (block,) = blocks(FORMATS, "python")
    names: dict[str, object] = {}
    exec(block, names)
    answers = re.findall(r"^(\S.*)\n# (.*)$", block, re.MULTILINE)
    assert len(answers) == 2
    for code, answer in answers:
        assert repr(eval(code, names)) == answer


def test_the_faults_that_the_docs_show_are_the_ones_that_are_told():
    with pytest.raises(RegistryError) as caught:
        Registry.from_toml('[kinds.a]\n[formats.bad]\npattern = "{x:slug}_{y:slug}"\nkinds = ["a"]\n')
    ((path, sentence),) = caught.value.faults
    assert f"{path}: {sentence}" in FORMATS


def test_the_page_on_the_registry_shows_what_check_and_diff_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "registry.md").read_text()
    before, changed = blocks(text, "toml")[1:]
    report, difference = blocks(text, "text")
    Path("canonid.toml").write_text(before)
    assert main(["registry", "check", "--registry", "canonid.toml"]) == 1
    assert report == "$ canonid registry check\n" + capsys.readouterr().out
    after = before
    for line in changed.splitlines():
        key, _, value = line.partition(" = ")
        if value:
            after = re.sub(rf"^{key} = .*$", lambda _, line=line: line, after, count=1, flags=re.MULTILINE)
    Path("new.toml").write_text(after)
    assert main(["registry", "diff", "canonid.toml", "new.toml"]) == 1
    assert capsys.readouterr().out == difference


def test_the_concepts_page_shows_what_the_code_answers():
    text = (ROOT / "docs" / "concepts.md").read_text()
    registry = load_registry(GOLDEN)
    assert registry.recognise("session_0_00000000").reason in text
    tree = blocks(text, "")[1]
    for kind, example in re.findall(r"(\w+)\s+(\S+_\S+|[0-9a-f-]{36})", tree):
        assert registry.recognise(example, kind).answer is not None, example


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_page_on_minting_runs():
    (code,) = blocks((ROOT / "docs" / "minting.md").read_text(), "python")
    exec(code, {})


def test_the_python_of_the_scopes_page_prints_what_it_says(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "scopes.md").read_text()
    monkeypatch.chdir(tmp_path)
    kinds = "".join(f"[kinds.{kind}]\n" for kind in ("user", "session", "run", "tool"))
    Path("canonid.toml").write_text(kinds)
    (code, _), (printed,) = blocks(page, "python"), blocks(page, "text")
    with Server() as server:
        exec(code.replace("redis://localhost:6379/0", server.url), {})
    assert capsys.readouterr().out == printed


def test_the_client_of_a_sentinel_on_the_scopes_page_serves_a_tree():
    _, code = blocks((ROOT / "docs" / "scopes.md").read_text(), "python")

    async def main(port: int) -> None:
        names: dict[str, Any] = {}
        exec(code.replace('"sentinel-1", 26379', f'"127.0.0.1", {port}'), names)
        async with names["sentinel"], names["client"] as client:
            identify = Registry.from_toml("[kinds.user]\n[kinds.session]\n").identify
            async with await ValkeyTree.join(client, identify) as tree:
                assert tree.may_send

    with Server() as server, Watcher(server, quorum=1) as watcher:
        asyncio.run(main(watcher.port))
