"""What workers and users call things, in a browser and in a terminal: text, whatever it says."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from farm_browser import Browser, browser, lacks_browser
from farm_hand import HandWorker
from farm_server import FarmServer, farm_server
from farm_site import PAGES, SETTINGS
from roots import cli_command, cli_environment

EVIL = "</text></title><svg/onload=window.ran=1><img src=x onerror=window.ran=1>'\"&{{7*7}}"
SCREEN = "\x1b]0;title\x07\x1b[2J\x9b31m\u009d0;t\u009c\x08\x1b]8;;http://x\x1b\\link"
"""What retitles, clears and colours a terminal, also as single characters (ECMA-48's C1)."""

_TRY = """
const page = document.body, ran = 'window.ran=1';
page.insertAdjacentHTML('beforeend', `<img src="/none" onerror="${ran}"><svg onload="${ran}"></svg>`
  + `<a id="trap" href="javascript:${ran}">x</a><iframe srcdoc="<script>parent.ran=1</script>">`);
const add = fields => page.append(Object.assign(document.createElement('script'), fields));
add({ textContent: ran });
add({ src: `data:text/javascript,${ran}` });
document.querySelector('#trap').click();
"""

pytestmark = pytest.mark.skipif(bool(lacks_browser()), reason=lacks_browser() or "there is one")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    with farm_server(tmp_path_factory.mktemp("farm") / "work", settings=SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def task(server: FarmServer) -> Iterator[int]:
    """A task that a hostile worker has failed with."""
    with server.client() as client:
        hand = HandWorker(client=client, name="w1")
        hand.register(version=EVIL + SCREEN)
        hand.beat()
        spec = {"name": EVIL, "source": "apt:hello", "branch": "stable", "arch": "amd64"}
        member = {"name": f"m-{EVIL}", "spec": spec | {"fresh": True}}
        made = client.post("/api/v1/groups", json={"name": EVIL, "members": [member]})
        assert made.is_success, made.text
        task = int(made.json()["members"][0]["task"])
        hand.claim(task, executor="w1/by-hand/0/1")
        hand.write(task, f"{EVIL}\n{SCREEN}\n")
        hand.finish(task, ok=False, error=EVIL + SCREEN, details=EVIL + SCREEN, step=EVIL)
        yield task


@pytest.fixture(scope="module")
def page(
    server: FarmServer, task: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    with browser(server.url, tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_no_name_becomes_a_part_of_a_page(page: Browser, task: int) -> None:
    name = quote(EVIL, safe="")
    places = [
        *PAGES,
        f"/tasks/{task}",
        "/groups/1",
        "/workers/w1",
        f"/workers/{name}",
        f"/tasks?name={name}",
    ]
    seen = 0
    for path in dict.fromkeys(places):
        page.open(path)
        text = page.text("body")
        seen += EVIL[:30] in text
        assert page.run("return window.ran") is None, path
        assert not page.all("[onerror], [onload], img[src=x], svg > title > svg"), path
        assert "49" not in text or "{{7*7}}" in text
    assert seen >= 4  # they are shown, as text


def test_the_policy_lets_no_script_run_but_ours(page: Browser) -> None:
    page.open("/tasks")
    page.run(_TRY)
    page.until(lambda: page.run("return document.readyState === 'complete'"))
    page.run("return new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert page.run("return window.ran") is None
    assert sum("Content Security Policy" in line for line in page.complaints()) >= 4


def test_no_name_and_no_log_moves_a_terminals_cursor(server: FarmServer, task: int) -> None:
    number = str(task)
    for words in (
        ("task", "list"), ("task", "status", number), ("task", "log", number), ("group", "list"),
        ("group", "status", "1"), ("task", "why", number), ("farm", "workers"), ("farm", "status"),
    ):  # fmt: skip
        said = in_terminal("--server", server.url, *words, folder=server.work_dir)
        plain = said.replace("\x1b[0m", "")
        assert "No such command" not in said, words
        for control in ("\x1b]", "\x1b[2J", "\x07", "\x08", "\x9b", "\x9d"):
            assert control not in plain, (words, control)


def in_terminal(*words: str, folder: Path) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        cli_command(*words), env=cli_environment(folder), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):  # the terminal's end
        while piece := os.read(ours, 1 << 16):
            said += piece
    process.wait()
    os.close(ours)
    return said.decode("utf-8", "replace")
